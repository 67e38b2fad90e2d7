/// How well sounds fit their texts (``CLAPScore``), and how well they fit the texts of others.
public struct CLAPReport: Sendable, Encodable {
  /// A sound, what it should be, and its vector.
  public struct Pair: Sendable {
    var sound: String
    var text: String
    var vector: [Float]

    public init(sound: String, text: String, vector: [Float]) {
      (self.sound, self.text, self.vector) = (sound, text, vector)
    }
  }

  public struct Score: Sendable, Encodable {
    public var sound: String
    public var text: String
    public var score: Double
    /// Mean over the other texts; nil where there is one text.
    public var others: Double?
  }

  /// SHA-256.
  public var weights: String
  public var sounds: Int
  public var texts: Int
  /// Mean over sounds; the interval is the sounds'.
  public var score: Estimate?
  public var others: Estimate?
  public var scores: [Score]
  public var warnings: [String]

  enum CodingKeys: String, CodingKey {
    case sounds, texts, score, scores, warnings
    case weights = "weights_sha256"
    case others = "score_with_other_texts"
  }

  /// - Parameter texts: vector of each text.
  public init(_ pairs: [Pair], texts: [String: [Float]], weights: String, warnings: [String] = []) {
    let sorted = texts.sorted { $0.key < $1.key }
    scores = pairs.compactMap { pair in
      guard let own = texts[pair.text] else { return nil }
      let others = sorted.filter { $0.key != pair.text }.map { CLAPScore.score($0.value, pair.vector) }
      return Score(
        sound: pair.sound, text: pair.text, score: CLAPScore.score(own, pair.vector),
        others: Statistics.mean(others))
    }
    (self.weights, self.warnings) = (weights, warnings)
    (sounds, self.texts) = (scores.count, texts.count)
    score = Estimate(meanOf: scores.map(\.score))
    others = Estimate(meanOf: scores.compactMap(\.others))
    if scores.count == 1 { self.warnings.append("one sound gives no interval") }
    if texts.count == 1, scores.count > 1 {
      self.warnings.append("all sounds have one text: there is no other to compare the score with")
    }
  }

  /// For a person.
  public var text: String {
    "CLAP score of \(sounds) sounds and \(texts) texts, mean (95 % interval)\n"
      + "own text     \(score?.text ?? "–")\nother texts  \(others?.text ?? "–")"
  }
}
