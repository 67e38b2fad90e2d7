import LegatoNN
import LegatoTensor

/// A mixture of normal distributions with diagonal covariances, whose parameters are a linear function of `z` (GIVT; Tschannen, Eastwood
/// and Mentzer 2024, with 32 modes in CAM's comparison).
public struct MixtureSampler: Sendable {
  public let modes: Int
  public let dimension: Int
  /// Weights, means and deviations of one distribution: K + 2 · K · D.
  public let parameterCount: Int
  private let output: Linear

  /// The least deviation: latents have variance 1, and a mode that falls on one would have an infinite density.
  public static let leastDeviation: Float = 0.01

  public init(_ scope: WeightScope, modes: Int, conditionWidth: Int, latentDimension: Int) throws {
    (self.modes, dimension) = (modes, latentDimension)
    parameterCount = modes * (1 + 2 * latentDimension)
    output = try Linear(scope["out"], conditionWidth, parameterCount, initial: .normal(0.02))
  }

  /// For z `[..., H]`: logarithms of weights up to a constant `[..., K]`, means and deviations `[..., K · D]`, mode after mode.
  public func distribution(of z: Tensor) -> (logits: Tensor, means: Tensor, deviations: Tensor) {
    let (all, width) = (output(z), modes * dimension)
    return (
      all.slice(axis: -1, 0..<modes), all.slice(axis: -1, modes..<modes + width),
      all.slice(axis: -1, modes + width..<modes + 2 * width).softplus() + Self.leastDeviation
    )
  }

  /// Weights, means and deviations side by side, `[..., K + 2 · K · D]`: what ``draw(_:position:temperature:noise:)`` reads.
  public func parameters(of z: Tensor) -> Tensor {
    let all = distribution(of: z)
    return .concatenate([all.logits.softmax(), all.means, all.deviations], axis: -1)
  }

  /// Turns standard normal noise `[D]` into a latent. Does not allocate.
  ///
  /// - Parameters:
  ///   - parameters: of one position, `[K + 2 · K · D]`.
  ///   - position: uniform in 0 ..< 1; chooses the mode.
  ///   - temperature: factor of the deviations.
  public func draw(
    _ parameters: UnsafeBufferPointer<Float>, position: Float, temperature: Float,
    noise: UnsafeMutableBufferPointer<Float>
  ) {
    var (mode, sum) = (0, parameters[0])
    while mode + 1 < modes, position >= sum {
      mode += 1
      sum += parameters[mode]
    }
    let (mean, deviation) = (modes + mode * dimension, modes + (modes + mode) * dimension)
    for index in 0..<dimension {
      noise[index] = parameters[mean + index] + temperature * parameters[deviation + index] * noise[index]
    }
  }
}
