import LegatoModels
import LegatoTensor

/// What training minimises: how far a model's sampler is from the latents that come next.
public protocol Objective: Sendable {
  /// Losses of the batch's positions, `[items · positions]`, given what the backbone says of each, z `[items · positions, 1, H]`; noise is a
  /// function of `random`. Traps where the model has another sampler.
  func losses(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> Tensor
}

extension Objective {
  /// Losses of every position, `[items, positions]`; noise is a function of `random`.
  public func losses(
    _ model: ContinuousModel, _ batch: TransformedBatch, on backend: any Backend, random: RandomStream
  ) -> Tensor {
    let (items, length, dimension) = (batch.items, batch.positions, batch.dimension)
    let isStart = backend.tensor(batch.isStart, shape: [items, length, 1])
    let inputs =
      backend.tensor(batch.inputs, shape: [items, length, dimension]) + isStart
      * backend.tensor(of: model.start)
    let z = model.backbone(
      inputs, noise: backend.tensor(batch.noiseLevels, shape: [items, length, 1]),
      positions: backend.tensor(batch.inputPositions, shape: [length]))
    return losses(
      model, z: z.reshape([items * length, 1, z.dim(2)]), batch, on: backend, random: random
    ).reshape([items, length])
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

extension TransformedBatch {
  /// Standard normal noise `[rows, draws, D]` and what it is mixed with, the targets `[rows, 1, D]`; rows are items · positions.
  func noiseAndTargets(draws: Int, on backend: any Backend, random: RandomStream) -> (
    noise: Tensor, targets: Tensor
  ) {
    let rows = items * positions
    return (
      backend.tensor(random.normal(rows * draws * dimension), shape: [rows, draws, dimension]),
      backend.tensor(targets, shape: [rows, 1, dimension])
    )
  }
}

extension RandomStream {
  /// What times are drawn from, apart from the noise.
  var times: RandomStream { RandomStream(seed: seed, stream: stream ^ 0x7469_6d65) }
}
