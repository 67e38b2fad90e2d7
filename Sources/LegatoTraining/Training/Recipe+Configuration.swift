import LegatoCodecs
import LegatoModels

extension CodecRecipe {
  /// The preset with its overrides.
  public func configuration() throws -> SpectralCodecConfiguration {
    guard var c = SpectralCodecConfiguration.preset(preset.rawValue) else {
      throw TrainingError(
        "there is no codec preset '\(preset.rawValue)'",
        "Use one of \(SpectralCodecConfiguration.presetNames.joined(separator: ", ")).")
    }
    c.sampleRate = sampleRate ?? c.sampleRate
    c.channels = channels ?? c.channels
    c.fftSize = fftSize ?? c.fftSize
    c.hop = hop ?? c.hop
    c.fold = fold ?? c.fold
    c.latentDimension = latentDimension ?? c.latentDimension
    c.encoderWidth = encoderWidth ?? c.encoderWidth
    c.encoderBlocks = encoderBlocks ?? c.encoderBlocks
    c.bottleneckWidth = bottleneckWidth ?? c.bottleneckWidth
    c.bottleneckBlocks = bottleneckBlocks ?? c.bottleneckBlocks
    c.decoderWidth = decoderWidth ?? c.decoderWidth
    c.decoderBlocks = decoderBlocks ?? c.decoderBlocks
    if let problem = c.problem { throw TrainingError("codec: \(problem)", "Change the recipe.") }
    return c
  }
}

extension ModelRecipe {
  /// The preset with its overrides, for latents of this dimension.
  public func configuration(latentDimension: Int) throws -> ContinuousModelConfiguration {
    guard var c = ContinuousModelConfiguration.preset(preset.rawValue) else {
      throw TrainingError(
        "there is no model preset '\(preset.rawValue)'",
        "Use one of \(ContinuousModelConfiguration.presetNames.joined(separator: ", ")).")
    }
    c.latentDimension = latentDimension
    c.backbone.width = width ?? c.backbone.width
    c.backbone.layers = layers ?? c.backbone.layers
    c.backbone.heads = heads ?? c.backbone.heads
    c.backbone.feedForward = feedforward ?? (width.map { 4 * $0 } ?? c.backbone.feedForward)
    c.backbone.window = window ?? c.backbone.window
    c.backbone.sinks = sinks ?? c.backbone.sinks
    c.backbone.readsNoiseLevel = noiseLevel
    c.backbone.shortContext = shortContext
    c.backbone.isCausal = isCausal
    c.sampler.kind = sampler.kind
    if sampler.kind == .mixture { c.sampler.modes = sampler.modes }
    if sampler.kind == .codes { (c.sampler.codebooks, c.sampler.codes) = (sampler.codebooks, sampler.codes) }
    c.sampler.width = sampler.width ?? c.sampler.width
    c.sampler.blocks = sampler.blocks ?? c.sampler.blocks
    if let problem = c.problem { throw TrainingError("model: \(problem)", "Change the recipe.") }
    return c
  }
}

extension SamplerRecipe {
  /// What a model of these sizes is trained by.
  func objective(_ sizes: ContinuousModelConfiguration) -> any Objective {
    let sharesTime = timePer == .position
    let flow = FlowObjective(
      draws: draws, logitNormal: time == .logitNormal ? (Float(timeMean), Float(timeStd)) : nil,
      sharesTime: sharesTime)
    return switch sizes.sampler.kind {
    case .flow where !sizes.backbone.isCausal: SequenceFlowObjective(flow: flow)
    case .flow: flow
    case .flowMap: FlowMapObjective(flow: flow)
    case .diffusion: DiffusionObjective(draws: draws, sharesTime: sharesTime)
    case .mixture: MixtureObjective()
    case .codes: CodesObjective()
    }
  }
}

extension TransformRecipe {
  public var sequenceTransform: SequenceTransform {
    SequenceTransform(kind, kMax: Float(kMax), perSequence: per == .sequence)
  }
}
