import LegatoTensor

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// RoBERTa's tokens: byte-pair encoding (Sennrich et al. 2016) of bytes (Radford et al. 2019), begun by `<s>` and ended by `</s>`.
///
/// Gives what transformers' `RobertaTokenizer` gives without a leading space, but takes `<s>` and its like in a text for
/// plain letters.
struct ByteLevelTokenizer {
  /// Token of every byte.
  private let bytes: [Int32]
  /// For two tokens side by side: when they are merged, early first, and into what.
  private let merges: [Pair: (rank: Int, token: Int32)]
  private let start: Int32
  private let end: Int32

  private struct Pair: Hashable {
    var left: Int32
    var right: Int32
  }

  /// - Parameter folder: holds `vocab.json` and `merges.txt` as published with the weights.
  /// - Throws: ``EvaluationError`` where they are missing, damaged or do not belong together.
  init(folder: String) throws {
    func contents(_ name: String) throws -> Data {
      guard let data = FileManager.default.contents(atPath: folder + "/" + name) else {
        throw EvaluationError(
          "\(folder)/\(name): the file is missing or cannot be read. CLAP's texts need vocab.json and merges.txt of "
            + "roberta-base in one folder; huggingface.co/roberta-base and laion/clap-htsat-unfused hold them."
        )
      }
      return data
    }
    func damaged(_ name: String, _ reason: String) -> EvaluationError {
      EvaluationError("\(folder)/\(name): \(reason). Fetch it again.")
    }
    guard
      let vocabulary = try? JSONDecoder().decode([String: Int32].self, from: try contents("vocab.json"))
    else {
      _ = try contents("vocab.json")
      throw damaged("vocab.json", "it is no table of tokens and numbers")
    }
    func token(_ text: some StringProtocol) throws -> Int32 {
      guard let token = vocabulary[String(text)] else {
        throw damaged("vocab.json", "the token '\(text)' is missing, which merges.txt or every text needs")
      }
      return token
    }
    start = try token("<s>")
    end = try token("</s>")
    bytes = try Self.letters.map { try token(String($0)) }
    var merges: [Pair: (rank: Int, token: Int32)] = [:]
    let lines = String(decoding: try contents("merges.txt"), as: UTF8.self).split(whereSeparator: \.isNewline)
    for (rank, line) in lines.filter({ !$0.hasPrefix("#version") }).enumerated() {
      let parts = line.split(separator: " ")
      guard parts.count == 2 else {
        throw damaged("merges.txt", "the line '\(line.prefix(40))' is no pair of tokens")
      }
      let pair = Pair(left: try token(parts[0]), right: try token(parts[1]))
      if merges[pair] == nil { merges[pair] = (rank, try token(parts[0] + parts[1])) }
    }
    self.merges = merges
  }

  /// The letter that stands for each byte in the published files: printable ones for themselves, the others from U+0100 on.
  private static let letters: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      if (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || byte >= 0xae {
        return Unicode.Scalar(byte)
      }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? Unicode.Scalar(byte)
    }
  }()

  /// Tokens of a text, at most `most` with both ends: what is beyond is left out.
  func tokens(_ text: String, most: Int) -> [Int32] {
    var result = [start]
    for word in Self.words(text) { result += merged(word) }
    return result.prefix(most - 1) + [end]
  }

  private func merged(_ word: ArraySlice<Unicode.Scalar>) -> [Int32] {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: word)
    var tokens = String(text).utf8.map { bytes[Int($0)] }
    while tokens.count > 1 {
      var best: (rank: Int, token: Int32, at: Int)?
      for index in 0..<tokens.count - 1 {
        guard let merge = merges[Pair(left: tokens[index], right: tokens[index + 1])] else { continue }
        if merge.rank < best?.rank ?? .max { best = (merge.rank, merge.token, index) }
      }
      guard let best else { break }
      tokens.replaceSubrange(best.at...best.at + 1, with: [best.token])
    }
    return tokens
  }

  private enum Kind { case letter, number, space, other }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    if scalar.properties.isWhitespace { return .space }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return .other
    }
  }

  /// The pieces within which bytes are merged: English contractions, runs of letters, of digits and of other signs, each
  /// with one space before it, and white space.
  private static func words(_ text: String) -> [ArraySlice<Unicode.Scalar>] {
    let scalars = Array(text.unicodeScalars)
    let kinds = scalars.map { kind($0) }
    let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map { Array($0.unicodeScalars) }
    var words: [ArraySlice<Unicode.Scalar>] = []
    var first = 0
    func run(from index: Int) -> Int { kinds[index...].firstIndex { $0 != kinds[index] } ?? kinds.count }
    while first < scalars.count {
      var last: Int
      if let contraction = contractions.first(where: { scalars[first...].starts(with: $0) }) {
        last = first + contraction.count
      } else if kinds[first] != .space {
        last = run(from: first)
      } else if scalars[first] == " ", first + 1 < scalars.count, kinds[first + 1] != .space {
        last = run(from: first + 1)
      } else {
        last = run(from: first)
        // The last space before a word belongs to the word.
        if last < scalars.count, last - first > 1 { last -= 1 }
      }
      words.append(scalars[first..<last])
      first = last
    }
    return words
  }
}
