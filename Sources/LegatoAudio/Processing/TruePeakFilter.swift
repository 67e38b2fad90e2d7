#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Four-fold interpolation that shows the peaks between samples (the method of ITU-R BS.1770-4, Annex 2).
///
/// Phase 0 is the sample itself; phases 1 to 3 are Kaiser-windowed sinc filters of ``taps`` taps.
enum TruePeakFilter {
  /// Taps of each phase: the samples `-taps/2 + 1 ... taps/2` around the interval.
  static let taps = 16

  /// `[phase − 1][tap]`, each phase with unit gain at 0 Hz.
  static let phases: [[Float]] = (1...3).map { phase in
    let beta = 6.0
    let half = Double(taps) / 2
    let raw = (0..<taps).map { tap -> Double in
      let x = Double(tap) - (half - 1) - Double(phase) / 4
      let edge = x / half
      let window = besselI0(beta * max(0, 1 - edge * edge).squareRoot()) / besselI0(beta)
      return sin(.pi * x) / (.pi * x) * window
    }
    let sum = raw.reduce(0, +)
    return raw.map { Float($0 / sum) }
  }

  /// Largest magnitude in `[n, n + 1)` of the interpolated signal, where `window[taps/2 − 1]` is sample `n`.
  @inline(__always)
  static func peak(_ window: UnsafePointer<Float>, _ phases: UnsafePointer<Float>) -> Float {
    var peak = abs(window[taps / 2 - 1])
    for phase in 0..<3 {
      var sum: Float = 0
      for tap in 0..<taps { sum += phases[phase * taps + tap] * window[tap] }
      peak = max(peak, abs(sum))
    }
    return peak
  }

  /// Largest magnitude of the interpolated signal, all of it.
  static func peak(of samples: [Float]) -> Float {
    let padding = [Float](repeating: 0, count: taps)
    let padded = padding + samples + padding
    let coefficients = phases.flatMap { $0 }
    var largest: Float = 0
    padded.withUnsafeBufferPointer { padded in
      coefficients.withUnsafeBufferPointer { coefficients in
        guard let base = padded.baseAddress, let phases = coefficients.baseAddress else { return }
        for start in 0..<(padded.count - taps) {
          largest = max(largest, peak(base + start, phases))
        }
      }
    }
    return largest
  }

  private static func besselI0(_ x: Double) -> Double {
    var sum = 1.0
    var term = 1.0
    for k in 1...40 {
      term *= (x / 2 / Double(k)) * (x / 2 / Double(k))
      sum += term
    }
    return sum
  }
}
