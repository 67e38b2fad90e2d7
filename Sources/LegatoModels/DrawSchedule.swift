/// Evaluations of a sampler's network for a latent; a mixture and codes have none.
public enum DrawSchedule: Sendable, Hashable {
  case flow(FlowSchedule)
  /// So many jumps of equal length.
  case flowMap(Int)
  case diffusion(DiffusionSchedule)
  case none

  public init(_ kind: SamplerKind, count: Int) {
    self =
      switch kind {
      case .flow: .flow(FlowSchedule(count: count))
      case .flowMap: .flowMap(max(1, count))
      case .diffusion: .diffusion(DiffusionSchedule(count: count))
      case .mixture, .codes: .none
      }
  }

  public var count: Int {
    switch self {
    case .flow(let flow): flow.count
    case .flowMap(let count): count
    case .diffusion(let diffusion): diffusion.count
    case .none: 0
    }
  }

  /// How an evaluation leads along a flow's path; nil where there is none.
  public func move(_ index: Int) -> FlowSchedule.Evaluation? {
    switch self {
    case .flow(let flow): flow[index]
    case .flowMap(let count):
      FlowSchedule.Evaluation(time: Float(index) / Float(count), gain: span, endsInterval: true)
    case .diffusion, .none: nil
    }
  }

  /// Where on the path from noise, 0, to data, 1, an evaluation is.
  public func time(_ index: Int) -> Float {
    switch self {
    case .flow, .flowMap: move(index)?.time ?? 1
    case .diffusion(let diffusion): DiffusionSchedule.time(of: diffusion.step(index))
    case .none: 1
    }
  }

  /// How far every evaluation of a flow map leads; 0 of others.
  public var span: Float {
    guard case .flowMap(let count) = self else { return 0 }
    return 1 / Float(count)
  }
}
