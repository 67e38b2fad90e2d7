import LegatoNN
import LegatoTensor

/// The network that says how to go on from a noisy latent, given `z` (AdaLN network as in MAR's head, Li et al. 2024): the velocity
/// of a rectified flow, the mean velocity of a flow map, or the noise of a diffusion (``Sampler``).
///
/// t = 0 is noise and t = 1 data.
public struct SamplerNetwork: Sendable {
  public let configuration: SamplerConfiguration
  private let input: Linear
  private let condition: Linear
  private let time: TimeEmbedding
  /// Of how far a flow map leads; others have none.
  private let span: TimeEmbedding?
  private let blocks: [AdaptiveBlock]
  private let norm: LayerNorm
  private let modulation: Linear
  private let output: Linear

  public init(
    _ scope: WeightScope, _ configuration: SamplerConfiguration, conditionWidth: Int, latentDimension: Int
  ) throws {
    self.configuration = configuration
    let width = configuration.width
    input = try Linear(scope["in"], latentDimension, width)
    condition = try Linear(scope["condition"], conditionWidth, width)
    time = try TimeEmbedding(scope["time"], width: width)
    span =
      configuration.kind == .flowMap
      ? try TimeEmbedding(scope["span"], width: width, fastest: Self.fastestSpan) : nil
    blocks = try (0..<configuration.blocks).map { try AdaptiveBlock(scope["blocks"][$0], width: width) }
    norm = try LayerNorm(scope["norm"], width, affine: false, epsilon: 1e-6)
    modulation = try Linear(scope["modulation"], width, 2 * width, initial: .zeros)
    output = try Linear(scope["out"], width, latentDimension, initial: .zeros)
  }

  /// Largest angle of a span: its derivative is learned from, and a fast one would be all that is learned.
  static let fastestSpan: Float = 4

  /// What it says `[R, M, D]` of x `[R, M, D]` at t `[R, M, 1]` given z `[R, 1, H]`: M draws for each of R positions.
  ///
  /// - Parameter span: how far a flow map leads, `[R, M, 1]`; nil for nowhere, which is the velocity.
  public func callAsFunction(_ x: Tensor, t: Tensor, span: Tensor? = nil, z: Tensor) -> Tensor {
    self(x, modulations: modulations(embedding(ofTime: t, span: span) + condition(z)))
  }

  /// What a flow map says, as above, with its derivative in the span.
  public func differentiated(_ x: Tensor, t: Tensor, span: Tensor, z: Tensor) -> Dual {
    guard let embedding = self.span else {
      preconditionFailure("SamplerNetwork: \(configuration.kind) has no span")
    }
    let c = (Dual(time(t) + condition(z)) + embedding.differentiated(span)).silu()
    var h = Dual(input(x))
    for block in blocks { h = block(h, modulation: block.modulation(condition: c)) }
    let parts = modulation(c).split(parts: 2)
    let n = norm(h)
    return output(n + n * parts[1] + parts[0])
  }

  // MARK: In parts, for generation
  //
  // All that depends on t and z alone is known for every step of a draw before the first: its weights, more than half of
  // the sampler's, are read once a draw instead of once a step.

  /// What stands for a time and, in a flow map, for how far it leads: t, span `[..., 1]` → `[..., width]`.
  public func embedding(ofTime t: Tensor, span: Tensor? = nil) -> Tensor {
    self.span.map { time(t) + $0(span ?? t * 0) } ?? time(t)
  }

  /// What stands for a position: z `[..., H]` → `[..., width]`.
  public func embedding(of z: Tensor) -> Tensor { condition(z) }

  /// Modulations of every block and of the output, from the sum of the embeddings of time and position `[B, T, width]`;
  /// ``modulationWidths`` are their last axes.
  public func modulations(_ embedding: Tensor) -> [Tensor] {
    let c = embedding.silu()
    return blocks.map { $0.modulation(condition: c) } + [modulation(c)]
  }

  /// Last axis of each of ``modulations(_:)``.
  public var modulationWidths: [Int] {
    blocks.map { _ in 3 * configuration.width } + [2 * configuration.width]
  }

  /// What it says of x, given its modulations.
  public func callAsFunction(_ x: Tensor, modulations: [Tensor]) -> Tensor {
    var h = input(x)
    for (block, modulation) in zip(blocks, modulations) { h = block(h, modulation: modulation) }
    let parts = modulations[blocks.count].split(axis: -1, parts: 2)
    return output(norm(h).modulate(shift: parts[0], scale: parts[1]))
  }
}
