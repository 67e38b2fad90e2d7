/// Evaluations of a sampler's network for a latent; a mixture has none.
public enum DrawSchedule: Sendable, Hashable {
  case flow(FlowSchedule)
  case diffusion(DiffusionSchedule)
  case none

  public init(_ kind: SamplerKind, count: Int) {
    self =
      switch kind {
      case .flow: .flow(FlowSchedule(count: count))
      case .diffusion: .diffusion(DiffusionSchedule(count: count))
      case .mixture: .none
      }
  }

  public var count: Int {
    switch self {
    case .flow(let flow): flow.count
    case .diffusion(let diffusion): diffusion.count
    case .none: 0
    }
  }

  /// Where on the path from noise, 0, to data, 1, an evaluation is.
  public func time(_ index: Int) -> Float {
    switch self {
    case .flow(let flow): flow[index].time
    case .diffusion(let diffusion): DiffusionSchedule.time(of: diffusion.step(index))
    case .none: 1
    }
  }
}
