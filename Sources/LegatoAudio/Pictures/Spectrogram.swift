#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Levels in dB on the grid of a picture: one column of pixels per moment, one row per frequency.
struct Spectrogram {
  /// `[column][row]`, row 0 at the lowest frequency, dB relative to a full-scale sine.
  let levels: [[Float]]

  /// Largest level anywhere.
  var maximum: Float { levels.lazy.compactMap { $0.max() }.max() ?? -.infinity }

  /// - Parameters:
  ///   - seconds: the time that the columns span, from the start of `buffer`.
  ///   - axis: the frequencies that the rows span.
  init(_ buffer: AudioBuffer, columns: Int, rows: Int, seconds: Double, axis: Axis) {
    let transform = FourierTransform(size: 2048)
    let mono = buffer.converted(toChannels: 1).channels[0]
    let hop = seconds * Double(buffer.sampleRate) / Double(columns)
    // A column of a long sound spans more than one frame: a few, spread over it, are averaged.
    let perColumn = min(4, max(1, Int(hop / Double(transform.size / 2))))
    let binWidth = Double(buffer.sampleRate) / Double(transform.size)
    let edges = (0...rows).map { axis.value(Double($0) / Double(rows)) / binWidth }
    levels = (0..<columns).map { column in
      var power = [Float](repeating: 0, count: transform.size / 2 + 1)
      for part in 0..<perColumn {
        let center = (Double(column) + (Double(part) + 0.5) / Double(perColumn)) * hop
        if Int(center) - transform.size / 2 >= mono.count { continue }
        let frame = transform.power(mono, start: Int(center) - transform.size / 2)
        for bin in power.indices { power[bin] += frame[bin] / Float(perColumn) }
      }
      let decibels = power.map { 10 * log10(max($0, 1e-14)) }
      return (0..<rows).map { Self.level(decibels, from: edges[$0], to: edges[$0 + 1]) }
    }
  }

  /// The largest level between two fractional bins, or the level interpolated at their middle when none lies
  /// there.
  private static func level(_ decibels: [Float], from low: Double, to high: Double) -> Float {
    let first = Int(low.rounded(.up))
    let last = min(Int(high.rounded(.down)), decibels.count - 1)
    if last > first { return decibels[first...last].max() ?? -140 }
    let middle = min(max((low + high) / 2, 0), Double(decibels.count - 1))
    let below = min(Int(middle), decibels.count - 2)
    let part = Float(middle - Double(below))
    return decibels[below] * (1 - part) + decibels[below + 1] * part
  }
}
