import LegatoModels
import LegatoNN
import LegatoTensor

/// The rectified-flow objective: mean |v(x_t, t, z) − (x − ε)|² over positions and draws.
///
/// `draws` pairs (t, ε) are drawn for each z, which is computed once (the batch multiplier of MAR's head, Li et al.
/// 2024).
public struct FlowObjective: TokenObjective {
  public var draws: Int
  /// Mean and deviation of logit(t); nil for t uniform.
  public var logitNormal: (mean: Float, deviation: Float)?
  /// One t for all draws of a position: the sampler's conditions, most of its work, are then computed once for them.
  public var sharesTime: Bool

  public init(draws: Int, logitNormal: (mean: Float, deviation: Float)?, sharesTime: Bool = false) {
    self.draws = draws
    self.logitNormal = logitNormal
    self.sharesTime = sharesTime
  }

  public func losses(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> Tensor {
    let network: SamplerNetwork
    switch model.sampler {
    // A flow map that leads nowhere gives the velocity.
    case .flow(let flow), .flowMap(let flow): network = flow
    case .diffusion, .mixture, .codes:
      preconditionFailure("FlowObjective: the sampler is \(model.configuration.sampler.kind)")
    }
    let rows = batch.items * batch.positions
    let perPosition = sharesTime ? 1 : draws
    let t = backend.tensor(times(rows * perPosition, random.times), shape: [rows, perPosition, 1])
    let (noise, target) = batch.noiseAndTargets(draws: draws, on: backend, random: random)
    let x = noise + (target - noise) * t
    let error = (network(x, t: t, z: z) - (target - noise)).square()
    return error.reshape([rows, draws * batch.dimension]).mean(axis: 1)
  }

  /// Times by its law, a little inside of 0 ... 1.
  func times(_ count: Int, _ random: RandomStream) -> [Float] {
    let times =
      logitNormal.map { law in
        random.normal(count).map {
          1 / (1 + Float(Double.exponential(Double(-(law.mean + law.deviation * $0)))))
        }
      } ?? random.uniform(count)
    return times.map { min(max($0, 1e-5), 1 - 1e-5) }
  }
}
