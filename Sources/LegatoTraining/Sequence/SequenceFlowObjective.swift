import LegatoModels
import LegatoTensor

/// The rectified-flow objective of whole sequences: mean |v(x_t, t) − (x − ε)|² of a model that is not causal, with one t for a sequence
/// (Liu et al. 2023; the baseline "RF" of CAM, Pasini et al. 2024). What the transform does to the context is not read.
public struct SequenceFlowObjective: Objective {
  /// The law of the times.
  public var flow: FlowObjective

  public init(flow: FlowObjective) { self.flow = flow }

  public func losses(
    _ model: ContinuousModel, _ batch: TransformedBatch, on backend: any Backend, random: RandomStream
  ) -> Tensor {
    let shape = [batch.items, batch.positions, batch.dimension]
    let t = backend.tensor(flow.times(batch.items, random.times), shape: [batch.items])
    let target = backend.tensor(batch.targets, shape: shape)
    let noise = backend.tensor(random.normal(batch.targets.count), shape: shape)
    let x = noise + (target - noise) * t.reshape([batch.items, 1, 1])
    let v = model.velocity(
      x, t: t, positions: backend.tensor(batch.inputPositions, shape: [batch.positions]))
    return (v - (target - noise)).square().mean(axis: 2).reshape([batch.items, batch.positions])
  }
}
