import LegatoCodecs

/// What `config.json` of a codec's folder says.
public struct CodecConfigurationFile: Codable, Sendable, Hashable {
  public var formatVersion = ModelPackage.formatVersion
  public var kind = "codec"
  public var name: String
  public var licence: String
  public var codec: SpectralCodecConfiguration
  public var training: TrainingRecord?
  /// Mel distance to its own held-out recordings, to compare other recordings with.
  public var heldOutMelDistance: Double?
  /// Set where the weights were converted to another format.
  public var converted: ConvertedCodec?

  public init(name: String, licence: String, codec: SpectralCodecConfiguration) {
    self.name = name
    self.licence = licence
    self.codec = codec
  }

  enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case kind, name, licence, codec, training, converted
    case heldOutMelDistance = "held_out_mel_distance"
  }
}

/// Whose latents a converted codec speaks: rounded weights are another encoder's bytes, and yet the same latents.
public struct ConvertedCodec: Codable, Sendable, Hashable {
  /// ``CodecPackage/hash`` of the codec that it was made from.
  public var original: String
  /// The same over the converted weights: where others have taken their place, this record does not count.
  public var stored: String

  public init(original: String, stored: String) { (self.original, self.stored) = (original, stored) }
}

/// What `config.json` of a model package says.
public struct ModelConfigurationFile: Codable, Sendable, Hashable {
  public var formatVersion = ModelPackage.formatVersion
  public var kind = "model"
  public var name: String
  public var licence: String
  public var model: ContinuousModelConfiguration
  public var generation = GenerationDefaults()
  public var training: TrainingRecord?
  /// Sizes of the codec that the model was trained with: its weights do not tell rate and hop. Filled in when a
  /// package is written; packages of before lack it.
  public var codec: SpectralCodecConfiguration?

  public init(name: String, licence: String, model: ContinuousModelConfiguration) {
    self.name = name
    self.licence = licence
    self.model = model
  }

  enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case kind, name, licence, model, generation, training, codec
  }
}

/// The settings at which a model sounds best, used unless the user says otherwise.
public struct GenerationDefaults: Codable, Sendable, Hashable {
  /// Factor of the noise that a latent is made from: all of a flow's, what a diffusion adds on the way, a mixture's deviations; of codes what logits are divided by.
  public var temperature: Float = 1
  /// Evaluations of the sampler for a latent (``DrawSchedule``); a mixture and codes have none.
  public var steps = 8
  /// Share of noise mixed into a latent before it is fed back.
  public var contextNoise: Float = 0.02
  /// How it is mixed: as in training.
  public var noiseLaw = NoiseLaw.linear
  /// Factor of a latent before it is mixed and fed back.
  public var feedbackGain: Float = 1

  /// What ``temperature``, ``steps`` and ``feedbackGain`` may be.
  public static let temperatures: ClosedRange<Float> = 0...10
  public static let stepCounts = 1...1000
  public static let feedbackGains: ClosedRange<Float> = 0.5...2

  public init() {}

  /// Packages of before have no law: theirs was linear; nor a gain.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    temperature = try values.decode(Float.self, forKey: .temperature)
    steps = try values.decode(Int.self, forKey: .steps)
    contextNoise = try values.decode(Float.self, forKey: .contextNoise)
    noiseLaw = try values.decodeIfPresent(NoiseLaw.self, forKey: .noiseLaw) ?? .linear
    feedbackGain = try values.decodeIfPresent(Float.self, forKey: .feedbackGain) ?? 1
  }

  enum CodingKeys: String, CodingKey {
    case temperature, steps
    case contextNoise = "context_noise"
    case noiseLaw = "noise_law"
    case feedbackGain = "feedback_gain"
  }

  /// In one line, as a person reads it.
  public var summary: String {
    "temperature \(temperature), \(steps) steps, context noise \(contextNoise) (\(noiseLaw.rawValue))"
      + (feedbackGain == 1 ? "" : ", feedback gain \(feedbackGain)")
  }

  /// What is wrong with these numbers, in words; nil where nothing is.
  public var problem: String? {
    if !Self.temperatures.contains(temperature) {
      return "temperature is \(temperature); it must be from 0 to 10"
    }
    if !Self.stepCounts.contains(steps) { return "steps is \(steps); it must be from 1 to 1000" }
    if !(0...1).contains(contextNoise) { return "context noise is \(contextNoise); it must be from 0 to 1" }
    if !Self.feedbackGains.contains(feedbackGain) {
      return "feedback gain is \(feedbackGain); it must be from 0.5 to 2"
    }
    return nil
  }
}

/// How weights came to be: shown by `legato info`.
public struct TrainingRecord: Codable, Sendable, Hashable {
  public var data: String
  public var steps: Int
  public var seconds: Double
  public var hardware: String
  public var losses: [String: Double]
  /// Content hash of the codec's weights that a model was trained on.
  public var codecHash: String?

  public init(
    data: String, steps: Int, seconds: Double, hardware: String, losses: [String: Double],
    codecHash: String? = nil
  ) {
    self.data = data
    self.steps = steps
    self.seconds = seconds
    self.hardware = hardware
    self.losses = losses
    self.codecHash = codecHash
  }

  enum CodingKeys: String, CodingKey {
    case data, steps, seconds, hardware, losses
    case codecHash = "codec_hash"
  }
}
