import LegatoNN

/// What an excerpt sounds like, whatever it plays: per mel band mean, deviation and change from frame to frame.
///
/// Of the sounding frames of ``LogMelAnalyser``, less their mean level: three times 64 values. What is more than 52 dB
/// under the excerpt's loudest value counts as that, so that neither level nor hiss matters.
public enum TimbreFeatures {
  public static let count = 3 * LogMelAnalyser.bands

  /// - Parameter frames: `[frames, LogMelAnalyser.bands]`.
  /// - Returns: nil where fewer than five frames sound.
  public static func of(_ frames: some Collection<Float>) -> [Double]? {
    let (values, bands) = (Array(frames), LogMelAnalyser.bands)
    // Within 20 dB of the analyser's floor all is silence.
    guard let top = values.max(), top > Float(Double.logarithm(Double(LogMelAnalyser.floor))) + 2.3 else {
      return nil
    }
    let floor = top - 6
    let sounding = stride(from: 0, to: values.count / bands * bands, by: bands)
      .map { values[$0..<$0 + bands].map { max($0, floor) } }
      .filter { $0.contains { $0 > floor } }
    guard sounding.count >= 5 else { return nil }
    let n = Double(sounding.count)
    var (sum, squares, changes) = (
      [Double](repeating: 0, count: bands), [Double](repeating: 0, count: bands),
      [Double](repeating: 0, count: bands)
    )
    for row in sounding {
      for (band, value) in row.enumerated() {
        sum[band] += Double(value)
        squares[band] += Double(value) * Double(value)
      }
    }
    for (before, after) in zip(sounding, sounding.dropFirst()) {
      for (band, pair) in zip(before, after).enumerated() { changes[band] += Double(abs(pair.1 - pair.0)) }
    }
    let level = sum.reduce(0, +) / n / Double(bands)
    let means = sum.map { $0 / n - level }
    let deviations = zip(sum, squares).map { max(0, $1 / n - $0 / n * $0 / n).squareRoot() }
    return means + deviations + changes.map { $0 / (n - 1) }
  }
}
