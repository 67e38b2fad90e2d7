import LegatoModels
import LegatoNN
import LegatoTensor

/// The objective of a flow map F, which leads from x_s to X(s, t) = x_s + (t − s) F(s, t, x_s): that of a flow where s = t, and Lagrangian
/// self-distillation elsewhere, mean |∂X/∂t − F(t, t, X)|² with F(t, t, X) taken for a constant (Boffi, Albergo and Vanden-Eijnden, "How to
/// build a consistency model", 2025; on the token-wise head of a causal model: CALM, Rouard et al. 2025, kyutai-labs/pocket-tts, whose
/// shares of 3/4 and 1/4 these are).
///
/// The distillation is computed for a quarter of the batches and counts four times there, with as many draws a position as the flow's: the
/// head batch multiplier, 8 in CALM and 4 in pocket-tts.
public struct FlowMapObjective: TokenObjective {
  /// What is learned where s = t.
  public var flow: FlowObjective

  public init(flow: FlowObjective) { self.flow = flow }

  /// Share of the loss that is the distillation's, and of the batches that have it.
  static let share: Float = 0.25

  /// Mean squared error of the velocity alone, as of a flow.
  public var measure: any Objective { flow }

  public func losses(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> Tensor {
    let velocity = flow.losses(model, z: z, batch, on: backend, random: random) * (1 - Self.share)
    guard Self.distils(random) else { return velocity }
    return velocity + distillation(model, z: z, batch, on: backend, random: random)
  }

  /// Whether a batch of this stream has the distillation.
  static func distils(_ random: RandomStream) -> Bool {
    RandomStream(seed: random.seed, stream: random.stream ^ 0x636f_696e).uniform(1)[0] < share
  }

  /// `[items · positions]`.
  func distillation(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> Tensor {
    let (slope, aim) = slopes(model, z: z, batch, on: backend, random: random)
    let error = (slope - backend.detach(aim)).square()
    return error.reshape([batch.items * batch.positions, flow.draws * batch.dimension]).mean(axis: 1)
  }

  /// ∂X/∂t, and what it is to be: the velocity at X; each `[items · positions, draws, D]`. The draws of a position share s and t.
  func slopes(
    _ model: ContinuousModel, z: Tensor, _ batch: TransformedBatch, on backend: any Backend,
    random: RandomStream
  ) -> (slope: Tensor, aim: Tensor) {
    guard case .flowMap(let network) = model.sampler else {
      preconditionFailure("FlowMapObjective: the sampler is \(model.configuration.sampler.kind)")
    }
    let rows = batch.items * batch.positions
    // Drawn a little beyond both ends, so that one evaluation, from 0 to 1, is learned and not only what lies between.
    let times = random.spans.times.uniform(2 * rows).map { min(max(1.2 * $0 - 0.1, 0), 1) }
    let pairs = zip(times.prefix(rows), times.suffix(rows))
    func column(_ values: [Float]) -> Tensor { backend.tensor(values, shape: [rows, 1, 1]) }
    let (s, t) = (column(pairs.map { min($0, $1) }), column(pairs.map { max($0, $1) }))
    let span = t - s
    let (noise, target) = batch.noiseAndTargets(draws: flow.draws, on: backend, random: random.spans)
    let x = noise + (target - noise) * s
    let map = network.differentiated(x, t: s, span: span, z: z)
    let slope = map.derivative.map { map.value + span * $0 } ?? map.value
    return (slope, network(x + span * map.value, t: t, z: z))
  }
}

extension RandomStream {
  /// What the distillation draws, apart from the rest.
  fileprivate var spans: RandomStream { RandomStream(seed: seed, stream: stream ^ 0x7370_616e) }
}
