import LegatoNN
import LegatoTensor

/// What draws the next latent given `z`.
public enum Sampler: Sendable {
  /// x_t = (1 − t) ε + t x; the network gives v = x − ε, whose integral from 0 to 1 is a latent (``FlowSchedule``).
  case flow(SamplerNetwork)
  /// The same path; the network gives (X − x_s)/(t − s), X where the flow leads from x_s until t.
  case flowMap(SamplerNetwork)
  /// x_t = √(1 − ᾱ) ε + √ᾱ x; the network gives ε, which is taken away step by step (``DiffusionSchedule``).
  case diffusion(SamplerNetwork)
  case mixture(MixtureSampler)
  case codes(CodeSampler)

  public init(
    _ scope: WeightScope, _ configuration: SamplerConfiguration, conditionWidth: Int, latentDimension: Int
  ) throws {
    func network() throws -> SamplerNetwork {
      try SamplerNetwork(
        scope, configuration, conditionWidth: conditionWidth, latentDimension: latentDimension)
    }
    self =
      switch configuration.kind {
      case .flow: .flow(try network())
      case .flowMap: .flowMap(try network())
      case .diffusion: .diffusion(try network())
      case .mixture:
        .mixture(
          try MixtureSampler(
            scope, modes: configuration.modes, conditionWidth: conditionWidth,
            latentDimension: latentDimension))
      case .codes:
        .codes(
          try CodeSampler(
            scope, configuration, conditionWidth: conditionWidth, latentDimension: latentDimension))
      }
  }

  /// Nil for a mixture and for codes, which have none.
  public var network: SamplerNetwork? {
    switch self {
    case .flow(let network), .flowMap(let network), .diffusion(let network): network
    case .mixture, .codes: nil
    }
  }

  /// Nil for whatever draws no codes.
  public var codes: CodeSampler? {
    if case .codes(let codes) = self { codes } else { nil }
  }

  /// What a draw needs to know of z `[..., H]`, computed once for it: what stands for it in the network `[..., width]`, or a
  /// mixture's parameters, or the codes' logits.
  public func conditions(of z: Tensor) -> Tensor {
    switch self {
    case .flow(let network), .flowMap(let network), .diffusion(let network): network.embedding(of: z)
    case .mixture(let mixture): mixture.parameters(of: z)
    case .codes(let codes): codes.logits(of: z)
    }
  }

  /// Factors of the latent and of the noise at t, from 0, noise, to 1, data; all latent for a mixture and for codes.
  public func gains(at t: Float) -> (signal: Float, noise: Float) {
    switch self {
    case .flow, .flowMap: (t, 1 - t)
    case .diffusion: DiffusionSchedule.gains(step: DiffusionSchedule.step(at: t))
    case .mixture, .codes: (1, 0)
    }
  }
}
