import LegatoModels

/// The model to train: a preset, overrides of its sizes, its sampler and sequence transform.
public struct ModelRecipe: Sendable, Equatable {
  public enum Preset: String, Sendable, CaseIterable {
    case tiny, small, base
    case cam150M = "cam-150m"
  }

  public var preset = Preset.small
  public var width: Int?
  public var layers: Int?
  public var heads: Int?
  public var feedforward: Int?
  /// Positions that attention reaches back.
  public var window: Int?
  /// Learned positions per layer that are never evicted.
  public var sinks: Int?
  /// The share of crops that begin where their piece does, and so carry the start frame.
  public var startFraction = 0.2
  /// Whether crops run over the end of a piece into the beginning of another, as endless music does.
  public var joinPieces = true
  /// Whether the backbone is told how much noise every latent carries.
  public var noiseLevel = false
  /// What reads the last latents once more, without noise; nil for nothing.
  public var shortContext: ShortContextConfiguration?
  /// Whether it draws one latent after the other; else whole sequences.
  public var isCausal = true
  public var sampler = SamplerRecipe()
  public var transform = TransformRecipe()
  public var generation = GenerationRecipe()
  /// Learns a style of the package that the run starts from, and leaves its model as it is; nil trains the model.
  public var style: StyleRecipe?

  public init() {}
}

/// How the package will generate unless asked otherwise; nil takes what it starts from, or what suits the transform.
public struct GenerationRecipe: Sendable, Equatable {
  public var temperature: Double?
  public var steps: Int?
  public var contextNoise: Double?
  public var feedbackGain: Double?
  /// Whether what suits the trained weights is looked for before the package is written (``SettingsTuner``).
  public var tune = false

  public init() {}
}

/// The network that draws the next latent, and how it is trained.
public struct SamplerRecipe: Sendable, Equatable {
  public typealias Kind = SamplerKind

  /// The law of the flow time t (0 is noise, 1 is data).
  public enum Time: String, Sendable, CaseIterable {
    case logitNormal = "logit-normal"
    case uniform
  }

  /// What draws its own flow time: every draw, or a position for all of its draws, which costs less.
  public enum TimePer: String, Sendable, CaseIterable { case draw, position }

  public var kind = Kind.flow
  /// Normal distributions of a mixture.
  public var modes = 32
  /// Of codes.
  public var codebooks = 8
  public var codes = 256
  public var width: Int?
  public var blocks: Int?
  /// Draws of (t, noise) per position; a mixture and codes have none.
  public var draws = 4
  /// Of a flow; a diffusion's steps are uniform.
  public var time = Time.logitNormal
  public var timePer = TimePer.position
  /// Mean and standard deviation of logit(t); for logit-normal only.
  public var timeMean = 0.0
  public var timeStd = 1.0

  public init() {}
}

/// What training does to a clip before the backbone sees it.
public struct TransformRecipe: Sendable, Equatable {
  public typealias Kind = SequenceTransform.Kind

  /// Whether every position draws its own noise level, or the whole sequence one.
  public enum Per: String, Sendable, CaseIterable { case token, sequence }

  public var kind = Kind.linearNoise
  /// The largest noise level: k is uniform from 0 to this.
  public var kMax = 1.0
  public var per = Per.token

  public init() {}
}
