/// What is measured of a stretch of a minute or so, by itself.
public enum DriftMeasure: String, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
  /// Fréchet distance of the stretch's patches from all real ones.
  case frechet = "frechet_distance"
  /// Maximum mean discrepancy of the same.
  case discrepancy = "mmd"
  case level = "level_dbfs"
  case centroid = "spectral_centroid"
  case onsets = "onsets_per_second"
  case salience = "pitch_salience"
  case entropy = "pitch_class_entropy"
  case change = "change_per_second"
  case silence = "silence_share"
  /// ``Novelty`` against the stretch before.
  case novelty = "distance_to_previous"
  /// Least distance of an excerpt of 4.8 s to the nearest of the training recordings.
  case training = "distance_to_training"

  /// On which sides a stretch can leave the spread of real ones.
  enum Sides { case both, above, below }

  var sides: Sides {
    switch self {
    // Nearer to the centre of real music than real music is no fault.
    case .frechet, .discrepancy: .above
    // Farther from the training recordings than unseen music is for the other distances to tell.
    case .training: .below
    default: .both
    }
  }

  /// Share of real stretches that lie outside.
  var realShareOutside: Double { sides == .both ? 0.1 : 0.05 }

  public var label: String {
    switch self {
    case .frechet: "Fréchet distance of one stretch"
    case .discrepancy: "MMD of one stretch"
    case .level: "level, dBFS"
    case .centroid: "spectral centroid, Hz"
    case .onsets: "onsets a second"
    case .salience: "pitch salience"
    case .entropy: "pitch-class entropy, bits"
    case .change: "change in a second, nats"
    case .silence: "silence, share"
    case .novelty: "distance to the stretch before, nats"
    case .training: "distance to the nearest training excerpt, nats"
    }
  }

  func value(_ measure: MusicMeasure) -> Double? {
    switch self {
    case .level: measure.levelDBFS
    case .centroid: measure.spectralCentroid
    case .onsets: measure.onsetsPerSecond
    case .salience: measure.pitchSalience
    case .entropy: measure.pitchClassEntropy
    case .change: measure.changePerSecond
    case .silence: measure.silenceShare
    case .frechet, .discrepancy, .novelty, .training: nil
    }
  }
}

/// What real stretches span in a measure: 5 to 95 %.
public struct DriftSpread: Sendable, Codable, Hashable {
  public var low: Double
  public var median: Double
  public var high: Double
  /// Standard deviation, over recordings, of the share of a recording's stretches that are outside.
  var shareDeviation: Double

  enum CodingKeys: String, CodingKey {
    case low, median, high
    case shareDeviation = "share_deviation"
  }

  /// - Parameter recordings: values of each recording's stretches.
  init?(_ measure: DriftMeasure, recordings: [[Double]]) {
    let values = recordings.flatMap { $0 }
    guard let low = Statistics.quantile(values, 0.05), let median = Statistics.median(values),
      let high = Statistics.quantile(values, 0.95)
    else { return nil }
    (self.low, self.median, self.high, shareDeviation) = (low, median, high, 0)
    // Where real music has no silence at all, a second of it in a minute is still none.
    if measure == .silence { self.high = max(high, 0.02) }
    let shares = recordings.compactMap { share(of: $0, outside: measure) }
    let chance = measure.realShareOutside
    shareDeviation = Statistics.deviation(shares) ?? (chance * (1 - chance)).squareRoot()
  }

  func isOutside(_ value: Double, _ measure: DriftMeasure) -> Bool {
    (measure.sides != .above && value < low) || (measure.sides != .below && value > high)
  }

  /// Share of values that are outside; nil for no values.
  func share(of values: [Double], outside measure: DriftMeasure) -> Double? {
    Statistics.mean(values.map { isOutside($0, measure) ? 1 : 0 })
  }

  /// How large a share of stretches of so many independent sounds may be outside before it is no chance: that of
  /// real ones and three standard errors.
  func allowedShare(_ measure: DriftMeasure, sounds: Int, ofOneStretch: Bool) -> Double {
    let chance = measure.realShareOutside
    let deviation = ofOneStretch ? (chance * (1 - chance)).squareRoot() : shareDeviation
    return chance + 3 * deviation / Double(max(1, sounds)).squareRoot()
  }
}
