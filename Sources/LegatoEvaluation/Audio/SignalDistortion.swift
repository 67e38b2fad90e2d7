import LegatoAudio

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., "SDR – half-baked or well done?", 2019): all channels as
/// one signal, their means taken away; 10 log₁₀(|α s|² / |α s − ŝ|²) with α = ⟨ŝ, s⟩ / |s|².
public struct SignalDistortion: Sendable {
  public init() {}

  /// Higher is nearer. Nil where either is silent, or the copy has nothing of the reference; at most 200 dB, which an equal copy
  /// is said to have.
  ///
  /// - Throws: ``EvaluationError`` where they cannot be compared.
  public func callAsFunction(reference: AudioBuffer, estimate: AudioBuffer) throws -> Double? {
    let pair = try SignalPair(reference, estimate)
    var (dot, energy, own) = (0.0, 0.0, 0.0)
    for (s, t) in zip(pair.reference, pair.estimate) {
      let (a, b) = (Self.mean(s), Self.mean(t))
      for (x, y) in zip(s, t) {
        let (x, y) = (Double(x) - a, Double(y) - b)
        dot += x * y
        energy += x * x
        own += y * y
      }
    }
    guard energy > 0, own > 0 else { return nil }
    let target = dot * dot / energy
    guard target > 0 else { return nil }
    return 10 * log10(target / max(own - target, 1e-20 * target))
  }

  private static func mean(_ values: [Float]) -> Double {
    values.reduce(0) { $0 + Double($1) } / Double(values.count)
  }
}
