import LegatoModels

extension CodecRecipe {
  mutating func read(from reader: RecipeReader) {
    preset = reader.choice("preset", default: preset)
    sampleRate = reader.int("sample_rate", in: 8000...192_000)
    channels = reader.int("channels", in: 1...8)
    fftSize = reader.int("fft_size", in: 16...65_536)
    hop = reader.int("hop", in: 1...65_536)
    fold = reader.int("fold", in: 1...256)
    latentDimension = reader.int("latent_dimension", in: 1...4096)
    encoderWidth = reader.int("encoder_width", in: 1...65_536)
    encoderBlocks = reader.int("encoder_blocks", in: 0...256)
    bottleneckWidth = reader.int("bottleneck_width", in: 1...65_536)
    bottleneckBlocks = reader.int("bottleneck_blocks", in: 0...256)
    decoderWidth = reader.int("decoder_width", in: 1...65_536)
    decoderBlocks = reader.int("decoder_blocks", in: 0...256)
    bottleneck = reader.choice("bottleneck", default: bottleneck)
    klWeight = reader.double("kl_weight", default: klWeight, in: .fromZero)
    fixedStd = reader.double("fixed_std", default: fixedStd, in: .fromZero)
    freezeEncoder = reader.bool("freeze_encoder", default: freezeEncoder)
    loss.read(from: reader.section("loss"))
    adversarial.read(from: reader.section("adversarial"))
    if let fftSize, let hop, fftSize < hop {
      reader.report("hop", "is \(hop), above fft_size \(fftSize): samples between frames would be lost")
    }
    reader.finish()
  }
}

extension CodecLossRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    stftWeight = reader.double("stft_weight", default: stftWeight, in: .fromZero)
    melWeight = reader.double("mel_weight", default: melWeight, in: .fromZero)
    waveformWeight = reader.double("waveform_weight", default: waveformWeight, in: .fromZero)
    waveformSteps = reader.int("waveform_steps", default: waveformSteps, in: 0...)
    stftSizes = reader.ints("stft_sizes", in: 16...65_536) ?? stftSizes
    if stftWeight + melWeight + waveformWeight == 0 {
      reader.report("stft_weight", "all three weights are 0, so nothing would be learned")
    }
    reader.finish()
  }
}

extension AdversarialRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    weight = reader.double("weight", default: weight, in: .fromZero)
    featureWeight = reader.double("feature_weight", default: featureWeight, in: .fromZero)
    startStep = reader.int("start_step", default: startStep, in: 0...)
    channels = reader.int("channels", in: 1...1024) ?? channels
    stftSizes = reader.ints("stft_sizes", in: 64...65_536) ?? stftSizes
    learningRate = reader.double("learning_rate", default: learningRate, in: .positive)
    reader.finish()
  }
}

extension ModelRecipe {
  mutating func read(from reader: RecipeReader) {
    preset = reader.choice("preset", default: preset)
    width = reader.int("width", in: 1...65_536)
    layers = reader.int("layers", in: 1...1024)
    heads = reader.int("heads", in: 1...1024)
    feedforward = reader.int("feedforward", in: 1...1_048_576)
    window = reader.int("window", in: 1...)
    sinks = reader.int("sinks", in: 0...1024)
    startFraction = reader.double("start_fraction", default: startFraction, in: .fraction)
    joinPieces = reader.bool("join_pieces", default: joinPieces)
    noiseLevel = reader.bool("noise_level", default: noiseLevel)
    isCausal = reader.bool("causal", default: isCausal)
    shortContext = .read(from: reader.section("short_context"))
    sampler.read(from: reader.section("sampler"))
    transform.read(from: reader.section("transform"))
    generation.read(from: reader.section("generation"))
    style = .read(from: reader.section("style"))
    if let width, let heads, width % heads != 0 {
      reader.report("heads", "\(heads) heads do not divide the width \(width)")
    }
    reader.finish()
  }
}

extension SamplerRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    kind = reader.choice("kind", default: kind)
    modes = reader.int("modes", in: 1...1024) ?? modes
    codebooks = reader.int("codebooks", in: 1...64) ?? codebooks
    codes = reader.int("codes", in: 2...65_536) ?? codes
    width = reader.int("width", in: 1...65_536)
    blocks = reader.int("blocks", in: 1...256)
    draws = reader.int("draws", in: 1...1024) ?? draws
    time = reader.choice("time", default: time)
    timePer = reader.choice("time_per", default: timePer)
    timeMean = reader.double("time_mean", default: timeMean, in: .any)
    timeStd = reader.double("time_std", default: timeStd, in: .positive)
    reader.finish()
  }
}

extension GenerationRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    temperature = reader.double("temperature", in: .within(GenerationDefaults.temperatures))
    steps = reader.int("steps", in: GenerationDefaults.stepCounts)
    contextNoise = reader.double("context_noise", in: .fraction)
    feedbackGain = reader.double("feedback_gain", in: .within(GenerationDefaults.feedbackGains))
    tune = reader.bool("tune", default: tune)
    reader.finish()
  }
}

extension TransformRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    kind = reader.choice("kind", default: kind)
    kMax = reader.double("k_max", default: kMax, in: .fraction)
    per = reader.choice("per", default: per)
    reader.finish()
  }
}

extension ShortContextConfiguration {
  /// Nil where the section is absent.
  fileprivate static func read(from reader: RecipeReader) -> ShortContextConfiguration? {
    var sizes = ShortContextConfiguration()
    sizes.window = reader.int("window", in: 1...) ?? sizes.window
    sizes.layers = reader.int("layers", in: 1...256) ?? sizes.layers
    reader.finish()
    return reader.isPresent ? sizes : nil
  }
}
