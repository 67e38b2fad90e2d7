import LegatoModels
import LegatoNN
import LegatoTensor

/// The rectified-flow objective: mean |v(x_t, t, z) − (x − ε)|² over positions and draws.
///
/// `draws` pairs (t, ε) are drawn for each z, which is computed once (the batch multiplier of MAR's head, Li et al.
/// 2024).
public struct FlowObjective: Objective {
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
    guard case .flow(let network) = model.sampler else {
      preconditionFailure("FlowObjective: the sampler is \(model.configuration.sampler.kind)")
    }
    let rows = batch.items * batch.positions
    let perPosition = sharesTime ? 1 : draws
    var times = random.times.draws(
      rows * perPosition, logitNormal: logitNormal)
    for index in times.indices { times[index] = min(max(times[index], 1e-5), 1 - 1e-5) }
    let t = backend.tensor(times, shape: [rows, perPosition, 1])
    let (noise, target) = batch.noiseAndTargets(draws: draws, on: backend, random: random)
    let x = noise + (target - noise) * t
    let error = (network(x, t: t, z: z) - (target - noise)).square()
    return error.reshape([rows, draws * batch.dimension]).mean(axis: 1)
  }
}

extension RandomStream {
  fileprivate func draws(_ count: Int, logitNormal: (mean: Float, deviation: Float)?) -> [Float] {
    guard let logitNormal else { return uniform(count) }
    return normal(count).map {
      1 / (1 + Float(Double.exponential(Double(-(logitNormal.mean + logitNormal.deviation * $0)))))
    }
  }
}
