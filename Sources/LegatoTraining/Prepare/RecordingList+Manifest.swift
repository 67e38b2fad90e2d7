import Foundation

extension RecordingList {
  /// Reads a manifest: one JSON object a line with `path` (relative to the manifest's folder, or absolute), and
  /// perhaps `id` and `split`; other texts, numbers and truth values become labels.
  static func manifest(_ file: String) throws -> RecordingList {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw PrepareError(.badManifest, file, "the manifest cannot be read", "Check the path and its permissions.")
    }
    func bad(_ line: Int, _ reason: String) -> PrepareError {
      PrepareError(
        .badManifest, file, "line \(line + 1): \(reason)",
        "A manifest holds one JSON object a line with at least \"path\", for example {\"path\": \"a.wav\"}.")
    }
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().resolvingSymlinksInPath().path
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var recordings: [Recording] = []
    var paths: Set<String> = []
    var ids: Set<String> = []
    for (number, line) in lines.enumerated() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) { continue }
      guard let row = try? JSONDecoder().decode([String: ManifestValue].self, from: Data(line)) else {
        // A last line without its end is what a killed writer leaves.
        if number == lines.count - 1, !recordings.isEmpty { continue }
        throw bad(number, "this is not a JSON object")
      }
      guard case .text(let path)? = row["path"], !path.isEmpty else { throw bad(number, "\"path\" is missing") }
      guard path != "__metadata__", !path.unicodeScalars.contains("\0") else { throw bad(number, "the path '\(path)' cannot be used") }
      guard paths.insert(path).inserted else { throw bad(number, "the path '\(path)' occurs twice") }
      let id = row["id"]?.label ?? path
      guard ids.insert(id).inserted else { throw bad(number, "the id '\(id)' occurs twice") }
      let location = path.hasPrefix("/") ? path : folder + "/" + path
      // A file that is not there is found out, and skipped, like every other that cannot be read.
      let identity = identity(path, file: location) ?? RecordingIdentity(path: path, size: -1, modified: 0)
      var recording = Recording(identity: identity, file: location, id: id)
      switch row["split"] {
      case nil, .other: break
      case .text(let name):
        guard let split = split(name) else {
          let known = LatentSplit.allCases.map(\.rawValue).joined(separator: ", ")
          throw bad(number, "the split '\(name)' is none of \(known)")
        }
        recording.split = split
      default: throw bad(number, "\"split\" is not a text")
      }
      for (key, value) in row where !["path", "id", "split"].contains(key) { recording.labels[key] = value.label }
      recordings.append(recording)
    }
    guard !recordings.isEmpty else {
      throw PrepareError(.noRecordings, file, "the manifest names no recording", "Give one with at least one line.")
    }
    return RecordingList(source: folder, recordings: recordings)
  }

  private static func split(_ name: String) -> LatentSplit? {
    switch name {
    case "valid", "val", "dev": .validation
    default: LatentSplit(rawValue: name)
    }
  }
}

/// A value of a manifest's row.
private enum ManifestValue: Decodable {
  case text(String)
  case number(Double)
  case integer(Int)
  case bool(Bool)
  /// null, lists and objects.
  case other

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      self = .text(text)
    } else if let bool = try? container.decode(Bool.self) {
      self = .bool(bool)
    } else if let integer = try? container.decode(Int.self) {
      self = .integer(integer)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else {
      self = .other
    }
  }

  var label: String? {
    switch self {
    case .text(let text): text
    case .number(let number): "\(number)"
    case .integer(let integer): "\(integer)"
    case .bool(let bool): "\(bool)"
    case .other: nil
    }
  }
}
