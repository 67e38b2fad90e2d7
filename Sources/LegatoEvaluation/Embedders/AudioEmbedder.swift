import LegatoAudio

/// Turns sound into vectors that distances compare, and into classes where it knows any.
///
/// An embedder converts rate and channels itself, as its ``details`` say: two numbers are comparable where the details of
/// what made them are equal.
public protocol AudioEmbedder {
  var details: EmbedderDetails { get }

  /// Throws ``EvaluationError`` for sound that cannot be embedded: none, values that are no numbers.
  func embed(_ sound: AudioBuffer) throws -> EmbeddedSound
}

/// All that two embeddings must have in common for their distances to be comparable.
public struct EmbedderDetails: Sendable, Codable, Hashable {
  /// As it is asked for: "vggish".
  public var name: String
  /// SHA-256 of the weights; nil where there are none.
  public var weights: String?
  /// Hz that sound is brought to.
  public var sampleRate: Int
  /// Values of a row.
  public var dimension: Int
  /// Seconds that a row looks at, and from one row to the next; nil where a row looks at the whole sound.
  public var window: Double?
  public var hop: Double?
  /// How sound is brought to its form, for a person: channels, resampling, what becomes of a short or a last window.
  public var preparation: String
  /// Names of the classes; empty where it knows none.
  public var classes: [String]

  public init(
    name: String, weights: String?, sampleRate: Int, dimension: Int, window: Double?, hop: Double?,
    preparation: String, classes: [String] = []
  ) {
    (self.name, self.weights, self.sampleRate, self.dimension) = (name, weights, sampleRate, dimension)
    (self.window, self.hop, self.preparation, self.classes) = (window, hop, preparation, classes)
  }

  enum CodingKeys: String, CodingKey {
    case name, dimension, preparation, classes
    case weights = "weights_sha256"
    case sampleRate = "sample_rate"
    case window = "window_seconds"
    case hop = "hop_seconds"
  }
}

/// Vectors of one sound.
public struct EmbeddedSound: Sendable {
  /// `[n, dimension]`, in the order of time.
  public var rows: [Float]
  /// Logits of the classes of the whole sound, one a class; empty where the embedder knows none.
  public var logits: [Float]

  public init(rows: [Float], logits: [Float] = []) { (self.rows, self.logits) = (rows, logits) }
}
