import LegatoModels
import LegatoNN
import LegatoTensor

/// The rectified-flow objective: mean |v(x_t, t, z) − (x − ε)|² over positions and draws.
///
/// `draws` pairs (t, ε) are drawn for each z, which is computed once (the batch multiplier of MAR's head, Li et al.
/// 2024).
public struct FlowObjective: Sendable {
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

  /// Losses of every position, `[items, positions]`; noise is a function of `random`.
  public func losses(
    _ model: ContinuousModel, _ batch: TransformedBatch, on backend: any Backend, random: RandomStream
  ) -> Tensor {
    let (items, length, dimension) = (batch.items, batch.positions, batch.dimension)
    let rows = items * length
    let isStart = backend.tensor(batch.isStart, shape: [items, length, 1])
    let inputs =
      backend.tensor(batch.inputs, shape: [items, length, dimension]) + isStart
      * backend.tensor(of: model.start)
    let z = model.backbone(
      inputs, noise: backend.tensor(batch.noiseLevels, shape: [items, length, 1]),
      positions: backend.tensor(batch.inputPositions, shape: [length]))

    let perPosition = sharesTime ? 1 : draws
    var times = RandomStream(seed: random.seed, stream: random.stream ^ 0x7469_6d65).draws(
      rows * perPosition, logitNormal: logitNormal)
    for index in times.indices { times[index] = min(max(times[index], 1e-5), 1 - 1e-5) }
    let t = backend.tensor(times, shape: [rows, perPosition, 1])
    let noise = backend.tensor(random.normal(rows * draws * dimension), shape: [rows, draws, dimension])
    let target = backend.tensor(batch.targets, shape: [rows, 1, dimension])
    let x = noise + (target - noise) * t
    let velocity = model.sampler.velocity(x, t: t, z: z.reshape([rows, 1, z.dim(2)]))
    let error = (velocity - (target - noise)).square()
    return error.reshape([items, length, draws * dimension]).mean(axis: 2).reshape([items, length])
  }

  /// Their mean where the mask is 1, shape `[1]`.
  public func loss(
    _ model: ContinuousModel, _ batch: TransformedBatch, on backend: any Backend, random: RandomStream
  ) -> Tensor {
    let mask = backend.tensor(batch.mask, shape: [batch.items, batch.positions])
    let count = max(1, batch.mask.reduce(0, +))
    return (losses(model, batch, on: backend, random: random) * mask).sum() / count
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
