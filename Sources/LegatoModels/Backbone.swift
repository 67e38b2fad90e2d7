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

  public init() {}

  /// Packages of before have no `noise_level`: theirs was not told.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    width = try values.decode(Int.self, forKey: .width)
    layers = try values.decode(Int.self, forKey: .layers)
    heads = try values.decode(Int.self, forKey: .heads)
    feedForward = try values.decode(Int.self, forKey: .feedForward)
    window = try values.decode(Int.self, forKey: .window)
    sinks = try values.decode(Int.self, forKey: .sinks)
    readsNoiseLevel = try values.decodeIfPresent(Bool.self, forKey: .readsNoiseLevel) ?? false
  }

  enum CodingKeys: String, CodingKey {
    case width, layers, heads, window, sinks
    case feedForward = "feedforward"
    case readsNoiseLevel = "noise_level"
  }
}

/// The causal transformer: latents `[B, T, D]` in, one conditioning vector a position out, `[B, T, width]`.
///
/// `z[i]` depends on the latents up to i and conditions the sampler that draws latent i + 1.
public struct Backbone: Sendable {
  public let configuration: BackboneConfiguration
  private let input: Linear
  /// What a latent that is all noise adds to its input, `[width]`.
  private let noiseLevel: Weight?
  private let blocks: [TransformerBlock]
  private let norm: RMSNorm

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
  }

  public struct State {
    var blocks: [TransformerBlock.State]
  }

  /// Every slot has to be given sinks (``set(sinks:slot:in:)``) before it is used. A stream can go back by `margin` positions.
  public func makeState(in stream: StreamState, settings: StreamState, margin: Int = 0) -> State {
    State(blocks: blocks.map { $0.makeState(in: stream, settings: settings, margin: margin) })
  }

  /// Keys and values of the sinks of every layer in turn: a style's, or the model's own.
  public func sinks(of style: Style?) -> [[Float]] {
    let replaced = Dictionary(style?.weights.map { ($0.name, $0) } ?? [], uniquingKeysWith: { $1 })
    return blocks.flatMap { block in
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

  /// Bytes that a stream keeps of one position: keys and values of all layers.
  public var cacheBytesPerPosition: Int {
    blocks.reduce(0) { $0 + 2 * configuration.width * $1.attention.cachePrecision.byteCount }
  }

  /// Whole sequences: latents `[B, T, D]`, the level of noise in each `[B, T, 1]` (``NoiseLaw``), positions int32 `[T]`.
  public func callAsFunction(_ latents: Tensor, noise: Tensor, positions: Tensor) -> Tensor {
    var x = enter(latents, noise)
    for block in blocks { x = block(x, positions: positions) }
    return norm(x)
  }

  /// The next positions of some streams: latents `[B, T, D]`, noise `[B, T, 1]`, positions int32 `[B · T]`, consecutive in each
  /// row, and the slots of the state that are theirs, int32 `[B]`.
  public func callAsFunction(
    _ latents: Tensor, noise: Tensor, positions: Tensor, slots: Tensor, state: inout State
  ) -> Tensor {
    var x = enter(latents, noise)
    for index in blocks.indices {
      x = blocks[index](x, positions: positions, slots: slots, state: &state.blocks[index])
    }
    return norm(x)
  }

  private func enter(_ latents: Tensor, _ noise: Tensor) -> Tensor {
    let x = input(latents)
    return noiseLevel.map { x + noise * latents.backend.tensor(of: $0) } ?? x
  }
}
