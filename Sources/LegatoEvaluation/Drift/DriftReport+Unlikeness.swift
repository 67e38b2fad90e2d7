import LegatoNN

extension DriftReport {
  /// How unlike real music all sounds are, as one number that settings can be chosen by; what real music has is not 0.
  ///
  /// ln(1 + Fréchet distance ÷ what as many real recordings reach) and three times ``shareOutside``. A drone may come near
  /// in distance: what its stretches lack, onsets and change, tells it from music. Our own definition.
  public var unlikeness: Double {
    let scale = max(floor?.frechet ?? 1, 1e-9)
    return Double.logarithm(1 + distance.frechet.value / scale) + 3 * shareOutside
  }

  /// Mean over the musical measures (level, centroid, onsets, salience, pitch classes, change, silence, novelty) of the share of
  /// stretches outside of the spread of real ones: about 0.1 for real music.
  public var shareOutside: Double {
    let musical: [DriftMeasure] = [
      .level, .centroid, .onsets, .salience, .entropy, .change, .silence, .novelty,
    ]
    return Statistics.mean(musical.compactMap { measures[$0]?.shareOutside }) ?? 0
  }
}
