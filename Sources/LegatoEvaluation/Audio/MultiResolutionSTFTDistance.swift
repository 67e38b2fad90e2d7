import LegatoAudio
import LegatoNN
import LegatoTensor

/// Multi-resolution STFT distance (after Yamamoto et al., "Parallel WaveGAN", 2020).
///
/// For FFT sizes 2048, 1024 and 512 (periodic Hann of that size, hop a quarter, no padding):
/// spectral convergence ‖|S| − |Ŝ|‖ / ‖|S|‖ over all frames, bins and channels, plus the mean absolute difference of
/// the natural logarithms of the magnitudes √(re² + im² + 1e-9); then the mean over the three sizes.
public struct MultiResolutionSTFTDistance: Sendable {
  public static let sizes = [2048, 1024, 512]

  /// The two parts, each already the mean over the sizes.
  public struct Value: Sendable, Hashable, Codable {
    public var spectralConvergence: Double
    public var logMagnitude: Double
    public var total: Double { spectralConvergence + logMagnitude }

    enum CodingKeys: String, CodingKey {
      case spectralConvergence = "spectral_convergence"
      case logMagnitude = "log_magnitude"
    }
  }

  public init() {}

  /// The distance over the common length of both. Throws ``EvaluationError`` where they cannot be compared.
  public func callAsFunction(reference: AudioBuffer, estimate: AudioBuffer, engine: CPUEngine) throws -> Value
  {
    let pair = try SignalPair(reference, estimate)
    var value = Value(spectralConvergence: 0, logMagnitude: 0)
    for size in Self.sizes {
      var (error, energy, logs, count) = (0.0, 0.0, 0.0, 0)
      pair.forEachBlock(size: size, hop: size / 4, engine: engine) { a, b in
        let s = Spectral.magnitude(a, size: size, hop: size / 4).floats()
        let t = Spectral.magnitude(b, size: size, hop: size / 4)
        let logDifference = (engine.tensor(s, shape: t.shape).log() - t.log()).abs().floats()
        let estimate = t.floats()
        for index in s.indices {
          let (x, y) = (Double(s[index]), Double(estimate[index]))
          error += (x - y) * (x - y)
          energy += x * x
          logs += Double(logDifference[index])
        }
        count += s.count
      }
      value.spectralConvergence += (error / energy).squareRoot() / Double(Self.sizes.count)
      value.logMagnitude += logs / Double(count) / Double(Self.sizes.count)
    }
    return value
  }
}
