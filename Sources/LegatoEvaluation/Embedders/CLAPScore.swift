import LegatoAudio
import LegatoModels
import LegatoTensor

/// The CLAP score (Huang et al. 2023, "Make-An-Audio"; Copet et al. 2023, "Simple and Controllable Music Generation"): how
/// well a sound fits a text, the cosine of their vectors, −1 … 1. A list of pairs scores its mean.
///
/// The originals draw 10 s of a longer sound at random; here the mean over the 10 s from every second is taken, which
/// is what they draw on average. A shorter sound is repeated as often as it fits, and padded with zeros.
public struct CLAPScore {
  private let audio: CLAPAudio
  private let text: CLAPText
  private let tokenizer: ByteLevelTokenizer

  init(audio: CLAPAudio, text: CLAPText, tokenizer: ByteLevelTokenizer) {
    (self.audio, self.text, self.tokenizer) = (audio, text, tokenizer)
  }

  /// - Parameters:
  ///   - path: weights of CLAP, both towers, as ``PublishedEmbedder/load(_:on:)`` reads them.
  ///   - vocabulary: folder with RoBERTa's `vocab.json` and `merges.txt`.
  /// - Throws: ``EvaluationError`` for files that are missing, damaged or not CLAP's.
  public init(weights path: String, vocabulary: String, on backend: any Backend) throws {
    tokenizer = try ByteLevelTokenizer(folder: vocabulary)
    (audio, text) = try PublishedEmbedder.reading(path) { weights, _ in
      let found = try PublishedEmbedder.clap.network(in: weights.file)
      return (
        try CLAPAudio(found.isBase ? .base : .tiny, weights: weights, digest: nil, on: backend),
        try CLAPText(weights: weights, on: backend)
      )
    }
  }

  /// Throws ``EvaluationError`` for sound that cannot be embedded.
  public func callAsFunction(_ text: String, _ sound: AudioBuffer) throws -> Double {
    Self.score(vector(of: text), try vector(of: sound))
  }

  /// Values of a vector in CLAP's space.
  static let dimension = 512

  /// What a text is in CLAP's space: of length 1.
  public func vector(of text: String) -> [Float] {
    self.text.embed(tokenizer.tokens(text, most: CLAPText.mostTokens))
  }

  /// What a sound is in CLAP's space: mean of its windows, each of length 1.
  ///
  /// Throws ``EvaluationError`` for sound that cannot be embedded.
  public func vector(of sound: AudioBuffer) throws -> [Float] {
    let rows = try audio.embedFilled(sound)
    let windows = max(1, rows.count / CLAPScore.dimension)
    var sums = [Double](repeating: 0, count: CLAPScore.dimension)
    for index in rows.indices { sums[index % sums.count] += Double(rows[index]) }
    return sums.map { Float($0 / Double(windows)) }
  }

  /// The score of a text's vector and a sound's.
  static func score(_ text: [Float], _ sound: [Float]) -> Double {
    zip(text, sound).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
}
