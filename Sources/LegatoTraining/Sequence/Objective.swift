import LegatoModels
import LegatoTensor

/// What training minimises.
public protocol Objective: Sendable {
  /// Losses of every position, `[items, positions]`; noise is a function of `random`. Traps where the model has another sampler.
  func losses(
    _ model: ContinuousModel, _ batch: TransformedBatch, on backend: any Backend, random: RandomStream
  ) -> Tensor

  /// What tells how good a model is: this, or the part of it that means the same for other samplers.
  var measure: any Objective { get }
}

/// How far a causal model's sampler is from the latents that come next.
public protocol TokenObjective: Objective {
  /// Losses of the batch's positions, `[items · positions]`, given what the backbone says of each, z `[items · positions, 1, H]`.
  func losses(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> Tensor
}

extension TokenObjective {
  public func losses(
    _ model: ContinuousModel, _ batch: TransformedBatch, on backend: any Backend, random: RandomStream
  ) -> Tensor {
    let (items, length, dimension) = (batch.items, batch.positions, batch.dimension)
    let isStart = backend.tensor(batch.isStart, shape: [items, length, 1])
    let start = isStart * backend.tensor(of: model.start)
    func read(_ latents: [Float]) -> Tensor {
      backend.tensor(latents, shape: [items, length, dimension]) + start
    }
    let z = model.backbone(
      read(batch.inputs), clean: model.backbone.readsClean ? read(batch.clean) : nil,
      noise: backend.tensor(batch.noiseLevels, shape: [items, length, 1]),
      positions: backend.tensor(batch.inputPositions, shape: [length]))
    return losses(
      model, z: z.reshape([items * length, 1, z.dim(2)]), batch, on: backend, random: random
    ).reshape([items, length])
  }

}

extension Objective {
  public var measure: any Objective { self }

  /// Mean of the losses where the mask is 1, shape `[1]`.
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
