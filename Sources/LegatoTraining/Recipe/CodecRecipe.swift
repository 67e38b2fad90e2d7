/// The codec to train: a preset, overrides of its sizes, its bottleneck and losses.
public struct CodecRecipe: Sendable, Equatable {
  public enum Preset: String, Sendable, CaseIterable { case tiny, small, base }

  public enum Bottleneck: String, Sendable, CaseIterable {
    /// Mean and variance are learned, pulled towards a normal distribution.
    case kl
    /// Latents get noise of one fixed standard deviation.
    case fixed
  }

  public var preset = Preset.base
  /// Hz.
  public var sampleRate: Int?
  public var channels: Int?
  public var fftSize: Int?
  /// Samples between analysis frames.
  public var hop: Int?
  /// Analysis frames that make one latent.
  public var fold: Int?
  public var latentDimension: Int?
  public var encoderWidth: Int?
  public var encoderBlocks: Int?
  public var bottleneckWidth: Int?
  public var bottleneckBlocks: Int?
  public var decoderWidth: Int?
  public var decoderBlocks: Int?
  public var bottleneck = Bottleneck.kl
  public var klWeight = 1e-4
  public var fixedStd = 0.4
  /// Train the decoder alone: latents, and the models that were trained on them, stay valid.
  public var freezeEncoder = false
  public var loss = CodecLossRecipe()
  public var adversarial = AdversarialRecipe()

  public init() {}
}

/// Weights of the reconstruction losses; 0 turns one off.
public struct CodecLossRecipe: Sendable, Equatable {
  public var stftWeight = 1.0
  public var melWeight = 1.0
  public var waveformWeight = 12.0
  /// Steps at the beginning that learn the waveform alone: spectral losses, which say nothing of phase, else lead an
  /// untrained codec into sound without pitch.
  public var waveformSteps = 1000
  /// FFT sizes of the multi-resolution losses.
  public var stftSizes = [2048, 1024, 512, 256, 128]

  public init() {}
}

/// The discriminator that the codec is trained against, once its waveforms are roughly right.
public struct AdversarialRecipe: Sendable, Equatable {
  /// Of the discriminator's verdict in the codec's loss; 0 trains without a discriminator.
  public var weight = 0.0
  /// Of the difference of the discriminator's features.
  public var featureWeight = 2.0
  /// The first step in which it takes part.
  public var startStep = 0
  /// Width of its layers.
  public var channels = 16
  /// FFT sizes, one network each.
  public var stftSizes = [2048, 1024, 512]
  /// The discriminator's own, under the codec's schedule.
  public var learningRate = 3e-4

  public init() {}
}
