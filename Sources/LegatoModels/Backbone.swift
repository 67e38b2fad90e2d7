import LegatoNN
import LegatoTensor

/// Sizes of a ``Backbone``.
public struct BackboneConfiguration: Codable, Sendable, Hashable {
  public var width = 256
  public var layers = 6
  public var heads = 4
  public var feedForward = 1024
  /// Positions that attention sees, the current one included.
  public var window = 128
  public var sinks = 4
  /// Whether it is told how much noise every latent carries; else it has to guess.
  public var readsNoiseLevel = false
  public var shortContext: ShortContextConfiguration?
  /// False where every position sees the whole sequence, which is then drawn as a whole (``ContinuousModel/sequence(_:steps:temperature:random:on:)``).
  public var isCausal = true

  public init() {}

  /// Packages of before have no `noise_level`, theirs was not told, no short context, and are causal.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    width = try values.decode(Int.self, forKey: .width)
    layers = try values.decode(Int.self, forKey: .layers)
    heads = try values.decode(Int.self, forKey: .heads)
    feedForward = try values.decode(Int.self, forKey: .feedForward)
    window = try values.decode(Int.self, forKey: .window)
    sinks = try values.decode(Int.self, forKey: .sinks)
    readsNoiseLevel = try values.decodeIfPresent(Bool.self, forKey: .readsNoiseLevel) ?? false
    shortContext = try values.decodeIfPresent(ShortContextConfiguration.self, forKey: .shortContext)
    isCausal = try values.decodeIfPresent(Bool.self, forKey: .isCausal) ?? true
  }

  enum CodingKeys: String, CodingKey {
    case width, layers, heads, window, sinks
    case feedForward = "feedforward"
    case readsNoiseLevel = "noise_level"
    case shortContext = "short_context"
    case isCausal = "causal"
  }
}

/// Sizes of a transformer that reads the last latents once more, without noise, and whose outcome is added to the backbone's: the short
/// context of CALM (Rouard et al. 2025).
public struct ShortContextConfiguration: Codable, Sendable, Hashable {
  /// Latents that it sees, the current one included.
  public var window = 10
  public var layers = 1

  public init() {}
}

/// The transformer: latents `[B, T, D]` in, one conditioning vector a position out, `[B, T, width]`.
///
/// `z[i]` depends on the latents up to i and conditions the sampler that draws latent i + 1.
public struct Backbone: Sendable {
  public let configuration: BackboneConfiguration
  private let input: Linear
  /// What a latent that is all noise adds to its input, `[width]`.
  private let noiseLevel: Weight?
  private let blocks: [TransformerBlock]
  private let norm: RMSNorm
  private let short: ShortContext?

  /// What reads the last latents without noise.
  private struct ShortContext: Sendable {
    let input: Linear
    let blocks: [TransformerBlock]
    let norm: RMSNorm

    init(
      _ scope: WeightScope, _ sizes: ShortContextConfiguration, _ c: BackboneConfiguration,
      latentDimension: Int
    ) throws {
      input = try Linear(scope["in"], latentDimension, c.width)
      blocks = try (0..<sizes.layers).map {
        try TransformerBlock(
          scope["blocks"][$0], width: c.width, heads: c.heads, feedForward: c.feedForward,
          window: sizes.window, sinks: c.sinks, depth: sizes.layers)
      }
      norm = try RMSNorm(scope["norm"], c.width)
    }
  }

  public init(_ scope: WeightScope, _ configuration: BackboneConfiguration, latentDimension: Int) throws {
    self.configuration = configuration
    let c = configuration
    input = try Linear(scope["in"], latentDimension, c.width)
    noiseLevel = c.readsNoiseLevel ? try scope.weight("noise_level", [c.width], .zeros) : nil
    blocks = try (0..<c.layers).map {
      try TransformerBlock(
        scope["blocks"][$0], width: c.width, heads: c.heads, feedForward: c.feedForward, window: c.window,
        sinks: c.sinks, depth: c.layers)
    }
    norm = try RMSNorm(scope["norm"], c.width)
    short = try c.shortContext.map {
      try ShortContext(scope["short"], $0, c, latentDimension: latentDimension)
    }
  }

  /// Whether latents without noise are read beside those with it.
  public var readsClean: Bool { short != nil }

  /// Those of the short context come last.
  private var allBlocks: [TransformerBlock] { blocks + (short?.blocks ?? []) }

  /// In the order of the blocks, those of the short context last.
  public struct State {
    var blocks: [TransformerBlock.State]
  }

  /// Every slot has to be given sinks (``set(sinks:slot:in:)``) before it is used. A stream can go back by `margin` positions.
  public func makeState(in stream: StreamState, settings: StreamState, margin: Int = 0) -> State {
    State(blocks: allBlocks.map { $0.makeState(in: stream, settings: settings, margin: margin) })
  }

  /// Keys and values of the sinks of every layer in turn: a style's, or the model's own.
  public func sinks(of style: Style?) -> [[Float]] {
    let replaced = Dictionary(style?.weights.map { ($0.name, $0) } ?? [], uniquingKeysWith: { $1 })
    return allBlocks.flatMap { block in
      let (keys, values) = block.attention.sinks(replaced: replaced)
      return [keys, values]
    }
  }

  /// Gives a slot sinks, as ``sinks(of:)`` gives them. Does not allocate.
  public func set(sinks: [[Float]], slot: Int, in state: State) {
    for (index, block) in state.blocks.enumerated() {
      block.set(sinks: (sinks[2 * index], sinks[2 * index + 1]), slot: slot)
    }
  }

  /// Bytes of keys and values that all layers read at a position, the short context's among them.
  public func cacheBytes(at position: Int) -> Int {
    allBlocks.reduce(0) {
      $0 + min(position + 1, $1.attention.window) * 2 * configuration.width
        * $1.attention.cachePrecision.byteCount
    }
  }

  /// Whole sequences: latents `[B, T, D]`, the same without noise where the model reads them (nil for `latents`), the level of noise in
  /// each `[B, T, 1]` (``NoiseLaw``), positions int32 `[T]`.
  public func callAsFunction(
    _ latents: Tensor, clean: Tensor? = nil, noise: Tensor, positions: Tensor
  ) -> Tensor {
    let isCausal = configuration.isCausal
    return think(latents, clean, noise) { _, block, x in
      isCausal ? block(x, positions: positions) : block.bothWays(x, positions: positions)
    }
  }

  /// The next positions of some streams: latents, with and without noise, `[B, T, D]`, noise `[B, T, 1]`, positions int32 `[B · T]`,
  /// consecutive in each row, and the slots of the state that are theirs, int32 `[B]`.
  public func callAsFunction(
    _ latents: Tensor, clean: Tensor? = nil, noise: Tensor, positions: Tensor, slots: Tensor,
    state: inout State
  ) -> Tensor {
    think(latents, clean, noise) { index, block, x in
      block(x, positions: positions, slots: slots, state: &state.blocks[index])
    }
  }

  private func think(
    _ latents: Tensor, _ clean: Tensor?, _ noise: Tensor,
    by apply: (Int, TransformerBlock, Tensor) -> Tensor
  ) -> Tensor {
    var x = enter(latents, noise)
    for (index, block) in blocks.enumerated() { x = apply(index, block, x) }
    x = norm(x)
    guard let short else { return x }
    var y = short.input(clean ?? latents)
    for (index, block) in short.blocks.enumerated() { y = apply(blocks.count + index, block, y) }
    return x + short.norm(y)
  }

  private func enter(_ latents: Tensor, _ noise: Tensor) -> Tensor {
    let x = input(latents)
    return noiseLevel.map { x + noise * latents.backend.tensor(of: $0) } ?? x
  }
}
