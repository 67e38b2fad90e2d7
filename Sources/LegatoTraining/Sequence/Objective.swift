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

extension SamplerKind {
  /// The objective of this kind of sampler with so many noise draws a position, all else as recipes have it.
  public func objective(draws: Int) -> any Objective {
    switch self {
    case .flow: FlowObjective(draws: draws, logitNormal: (0, 1))
    case .diffusion: DiffusionObjective(draws: draws)
    case .mixture: MixtureObjective()
    }
  }
}
