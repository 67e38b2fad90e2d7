import LegatoNN
import LegatoTensor

/// Sizes of a ``ContinuousModel``.
public struct ContinuousModelConfiguration: Codable, Sendable, Hashable {
  public var latentDimension = 64
  public var backbone = BackboneConfiguration()
  public var sampler = SamplerConfiguration()

  public init() {}

  /// Values of what the backbone reads of a position: a latent, or of codes a 1 at each.
  public var inputDimension: Int {
    sampler.kind == .codes ? sampler.codebooks * sampler.codes : latentDimension
  }

  enum CodingKeys: String, CodingKey {
    case latentDimension = "latent_dimension"
    case backbone, sampler
  }

  public static let presetNames = ["tiny", "small", "base", "cam-150m", "pocket-tts"]

  /// `tiny` is for tests, `small` trains on two CPU cores; `cam-150m` has the published 16 layers and about 150 M
  /// parameters: its width and its sampler are our choice, since the paper's are not known to us. `pocket-tts` has the sizes of
  /// that system's backbone and flow head (kyutai-labs/pocket-tts), to compare speeds with.
  public static func preset(_ name: String) -> ContinuousModelConfiguration? {
    var c = ContinuousModelConfiguration()
    func set(
      _ width: Int, _ layers: Int, _ heads: Int, window: Int, _ samplerWidth: Int, _ samplerBlocks: Int
    ) {
      c.backbone.width = width
      c.backbone.layers = layers
      c.backbone.heads = heads
      c.backbone.feedForward = 4 * width
      c.backbone.window = window
      c.sampler.width = samplerWidth
      c.sampler.blocks = samplerBlocks
    }
    switch name {
    case "tiny":
      set(64, 2, 2, window: 16, 64, 2)
      c.latentDimension = 16
    case "small": set(256, 6, 4, window: 128, 384, 3)
    case "base": set(512, 12, 8, window: 256, 768, 6)
    case "cam-150m": set(768, 16, 12, window: 256, 1024, 6)
    case "pocket-tts":
      set(1024, 6, 16, window: 256, 512, 6)
      c.latentDimension = 32
    default: return nil
    }
    return c
  }

  /// What is wrong with these numbers, in words; nil where nothing is.
  public var problem: String? {
    let numbers = [
      ("latent_dimension", latentDimension, 1...4096), ("width", backbone.width, 2...16_384),
      ("layers", backbone.layers, 1...256), ("heads", backbone.heads, 1...256),
      ("feedforward", backbone.feedForward, 1...65_536), ("window", backbone.window, 1...65_536),
      ("sinks", backbone.sinks, 1...64),
      ("short_context window", backbone.shortContext?.window ?? 1, 1...65_536),
      ("short_context layers", backbone.shortContext?.layers ?? 1, 1...256),
      ("sampler width", sampler.width, 1...16_384),
      ("sampler blocks", sampler.blocks, 1...64), ("sampler modes", sampler.modes, 1...1024),
      ("sampler codebooks", sampler.codebooks, 1...64), ("sampler codes", sampler.codes, 2...65_536),
    ]
    for (name, value, range) in numbers where !range.contains(value) {
      return "\(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)"
    }
    // Positions read a 1 at each code.
    if sampler.kind == .codes, sampler.codebooks * sampler.codes > 1 << 16 {
      return "codebooks · codes is \(sampler.codebooks * sampler.codes), more than \(1 << 16)"
    }
    let short = backbone.shortContext.map { $0.layers * $0.window } ?? 0
    let cache = (backbone.layers * backbone.window + short) * backbone.width
    if cache > 1 << 28 {
      return
        "layers · window · width is \(cache), more than \(1 << 28): the attention cache would take gigabytes"
    }
    if backbone.width % backbone.heads != 0 || (backbone.width / backbone.heads) % 2 != 0 {
      return "width \(backbone.width) must divide into \(backbone.heads) heads of even size"
    }
    if !backbone.isCausal, sampler.kind != .flow || !backbone.readsNoiseLevel || backbone.shortContext != nil
    {
      return "a model that is not causal has a flow, is told the noise (noise_level) and has no short context"
    }
    return nil
  }
}

/// A causal model of continuous latents: backbone, sampler, learned start frame.
///
/// With a flow, the linear noise transform in training and a little context noise at inference it is CAM (Pasini, Nistal,
/// Lattner and Fazekas, "Continuous autoregressive models with noise augmentation avoid error accumulation", 2024).
public struct ContinuousModel: Sendable {
  public let configuration: ContinuousModelConfiguration
  public let weights: [Weight]
  public let backbone: Backbone
  public let sampler: Sampler
  /// What stands before the first latent: `[D]`, of codes `[codebooks · codes]`.
  public let start: Weight

  public init(_ configuration: ContinuousModelConfiguration, weights source: any WeightSource) throws {
    if let problem = configuration.problem {
      throw ModelError.invalid(file: "model configuration", reason: problem)
    }
    self.configuration = configuration
    let scope = WeightScope(source)
    start = try scope.weight("start", [configuration.inputDimension], .normal(0.5))
    backbone = try Backbone(
      scope["backbone"], configuration.backbone, latentDimension: configuration.inputDimension)
    sampler = try Sampler(
      scope["sampler"], configuration.sampler, conditionWidth: configuration.backbone.width,
      latentDimension: configuration.latentDimension)
    weights = scope.weights
  }
}
