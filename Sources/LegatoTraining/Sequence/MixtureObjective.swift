import LegatoModels
import LegatoNN
import LegatoTensor

/// The objective of a mixture: the negative logarithm of the next latent's density, in nats a dimension (GIVT; Tschannen, Eastwood and
/// Mentzer 2024).
public struct MixtureObjective: TokenObjective {
  public init() {}

  public func losses(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> Tensor {
    guard case .mixture(let mixture) = model.sampler else {
      preconditionFailure("MixtureObjective: the sampler is \(model.configuration.sampler.kind)")
    }
    let (rows, modes, dimension) = (batch.items * batch.positions, mixture.modes, mixture.dimension)
    let all = mixture.distribution(of: z)
    let target = backend.tensor(batch.targets, shape: [rows, 1, dimension])
    let deviations = all.deviations.reshape([rows, modes, dimension])
    let distance = (target - all.means.reshape([rows, modes, dimension])) / deviations
    // Each mode's logarithm of the density, `[rows, modes]`, up to the constant.
    let densities = (distance.square() * -0.5 - deviations.log()).sum(axis: 2).reshape([rows, modes])
    let logits = all.logits.reshape([rows, modes])
    let constant = 0.5 * Float(Double.logarithm(2 * Double.pi))
    return (logits.logarithmOfSum() - (logits + densities).logarithmOfSum()) / Float(dimension) + constant
  }
}

extension Tensor {
  /// log Σ exp along the last axis, `[rows, n]` → `[rows]`.
  func logarithmOfSum() -> Tensor {
    let most = max(axis: 1).reshape([dim(0), 1])
    return ((self - most).exp().sum(axis: 1).log() + most).reshape([dim(0)])
  }
}
