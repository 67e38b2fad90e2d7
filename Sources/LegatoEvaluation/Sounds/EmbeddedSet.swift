import LegatoAudio

/// Sounds as an embedder sees them.
public struct EmbeddedSet: Sendable {
  /// One sound. Sounds are the independent samples: rows of one resemble each other.
  public struct Piece: Sendable {
    public var name: String
    public var embedded: EmbeddedSound

    public init(name: String, embedded: EmbeddedSound) { (self.name, self.embedded) = (name, embedded) }

    /// Checks a sound, then embeds it.
    ///
    /// - Throws: ``EvaluationError`` for an empty sound and for values that are no numbers, with the name.
    public init(name: String, sound: AudioBuffer, embedder: any AudioEmbedder) throws {
      guard sound.frameCount > 0, sound.channelCount > 0 else {
        throw EvaluationError("\(name): there is no sound in it; leave it out")
      }
      guard sound.channels.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
        throw EvaluationError(
          "\(name): it contains NaN or infinite samples and cannot be measured; leave it out, or make it again"
        )
      }
      let embedded = try embedder.embed(sound)
      let details = embedder.details
      precondition(
        embedded.rows.count % details.dimension == 0
          && (embedded.logits.isEmpty || embedded.logits.count == details.classes.count),
        "\(details.name): \(embedded.rows.count) values of rows of \(details.dimension)")
      guard embedded.rows.allSatisfy(\.isFinite), embedded.logits.allSatisfy(\.isFinite) else {
        throw EvaluationError(
          "\(name): the embedder \(details.name) makes of it what is no number; its weights are damaged")
      }
      self.init(name: name, embedded: embedded)
    }
  }

  /// As reports name it.
  public var name: String
  public var details: EmbedderDetails
  public var pieces: [Piece]
  /// What the reader should know of it.
  public var warnings: [String] = []

  /// Sounds without a row are left out, with a warning.
  ///
  /// - Throws: ``EvaluationError`` where none is left.
  public init(name: String, details: EmbedderDetails, pieces: [Piece]) throws {
    (self.name, self.details) = (name, details)
    self.pieces = pieces.filter { !$0.embedded.rows.isEmpty }
    let short = pieces.filter { $0.embedded.rows.isEmpty }
    guard let first = short.first else {
      guard !pieces.isEmpty else { throw EvaluationError("\(name): there are no sounds in it") }
      return
    }
    let window = details.window.map { " of \(Estimate.digits($0)) s" } ?? ""
    guard !self.pieces.isEmpty else {
      throw EvaluationError(
        "\(name): all \(pieces.count) sounds are shorter than the window\(window) of the embedder \(details.name), such as "
          + "\(first.name); give longer ones")
    }
    warnings.append(
      "\(name): \(short.count) of \(pieces.count) sounds are shorter than the window\(window) of the embedder "
        + "\(details.name) and were left out, such as \(first.name)")
  }

  public var rowCount: Int { pieces.reduce(0) { $0 + rows(of: $1) } }

  func rows(of piece: Piece) -> Int { piece.embedded.rows.count / details.dimension }

  /// `[n, dimension]` of all.
  var rows: [Float] { pieces.flatMap(\.embedded.rows) }

  /// Of the sounds that have any.
  var logits: [[Float]] { pieces.map(\.embedded.logits).filter { !$0.isEmpty } }
}
