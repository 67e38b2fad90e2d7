import LegatoNN
import LegatoTensor

/// The network that says how to go on from a noisy latent, given `z` (AdaLN network as in MAR's head, Li et al. 2024): the velocity
/// of a rectified flow, or the noise of a diffusion (``Sampler``).
///
/// t = 0 is noise and t = 1 data.
public struct SamplerNetwork: Sendable {
  public let configuration: SamplerConfiguration
  private let input: Linear
  private let condition: Linear
  private let time: TimeEmbedding
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
    blocks = try (0..<configuration.blocks).map { try AdaptiveBlock(scope["blocks"][$0], width: width) }
    norm = try LayerNorm(scope["norm"], width, affine: false, epsilon: 1e-6)
    modulation = try Linear(scope["modulation"], width, 2 * width, initial: .zeros)
    output = try Linear(scope["out"], width, latentDimension, initial: .zeros)
  }

  /// What it says `[R, M, D]` of x `[R, M, D]` at t `[R, M, 1]` given z `[R, 1, H]`: M draws for each of R positions.
  public func callAsFunction(_ x: Tensor, t: Tensor, z: Tensor) -> Tensor {
    self(x, modulations: modulations(time(t) + condition(z)))
  }

  // MARK: In parts, for generation
  //
  // All that depends on t and z alone is known for every step of a draw before the first: its weights, more than half of
  // the sampler's, are read once a draw instead of once a step.

  /// What stands for a time: t `[..., 1]` → `[..., width]`.
  public func embedding(ofTime t: Tensor) -> Tensor { time(t) }

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
