import LegatoModels
import LegatoTensor

/// The objective of a diffusion: mean |ε̂(x_s, s, z) − ε|² over positions and draws, s uniform in 1 ... 1000 (Ho, Jain and Abbeel 2020; the
/// token-wise head of MAR, Li et al. 2024).
public struct DiffusionObjective: TokenObjective {
  public var draws: Int
  /// One step for all draws of a position: the sampler's conditions, most of its work, are then computed once for them.
  public var sharesTime: Bool

  public init(draws: Int, sharesTime: Bool = false) {
    self.draws = draws
    self.sharesTime = sharesTime
  }

  public func losses(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> Tensor {
    guard case .diffusion(let network) = model.sampler else {
      preconditionFailure("DiffusionObjective: the sampler is \(model.configuration.sampler.kind)")
    }
    let rows = batch.items * batch.positions
    let perPosition = sharesTime ? 1 : draws
    let steps = random.times.uniform(rows * perPosition).map {
      min(1 + Int($0 * Float(DiffusionSchedule.steps)), DiffusionSchedule.steps)
    }
    let gains = steps.map { DiffusionSchedule.gains(step: $0) }
    func factors(_ values: [Float]) -> Tensor { backend.tensor(values, shape: [rows, perPosition, 1]) }
    let (noise, target) = batch.noiseAndTargets(draws: draws, on: backend, random: random)
    let x = factors(gains.map(\.signal)) * target + factors(gains.map(\.noise)) * noise
    let t = factors(steps.map { DiffusionSchedule.time(of: $0) })
    let error = (network(x, t: t, z: z) - noise).square()
    return error.reshape([rows, draws * batch.dimension]).mean(axis: 1)
  }
}
