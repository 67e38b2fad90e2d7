import LegatoNN
import LegatoTensor

/// Legato's default codec: a causal variational autoencoder on short-time spectra.
///
/// Everything runs at the rate of the analysis frames as matrix products: compressed complex spectra of mid and side
/// go through ConvNeXt blocks, `fold` frames become one latent; the decoder mirrors this, ends in compressed complex
/// spectra, undoes the compression and transforms back. (Log-magnitude and phase, as in Vocos, were tried first: after
/// 2,200 updates every frame had nearly the same phases, so that all sound had the pitch of the frame rate.) Frame j of analysis and of synthesis
/// both end at sample (j + 1) · hop, so nothing depends on the future; streamed output lags by fftSize − hop samples.
public struct SpectralCodec: AudioCodec {
  public let configuration: SpectralCodecConfiguration
  public let weights: [Weight]

  private let encoderInput: Linear
  private let encoderBlocks: [ConvNeXtBlock]
  private let encoderFold: Linear
  private let encoderBottleneck: [ConvNeXtBlock]
  private let posterior: Linear
  private let decoderInput: Linear
  private let decoderBottleneck: [ConvNeXtBlock]
  private let decoderUnfold: Linear
  private let decoderBlocks: [ConvNeXtBlock]
  private let headNorm: LayerNorm
  private let head: Linear
  /// Statistics of raw latents, `[latentDimension]` each: measured after training, never trained.
  public let latentMean: Weight
  public let latentDeviation: Weight

  public static let kernel = 7
  public static let bottleneckKernel = 4

  public init(_ configuration: SpectralCodecConfiguration, weights source: any WeightSource) throws {
    if let problem = configuration.problem {
      throw ModelError.invalid(file: "codec configuration", reason: problem)
    }
    self.configuration = configuration
    let c = configuration
    let scope = WeightScope(source)
    func blocks(_ name: String, _ count: Int, _ width: Int, _ kernel: Int) throws -> [ConvNeXtBlock] {
      try (0..<count).map { try ConvNeXtBlock(scope[name][$0], width: width, kernel: kernel) }
    }
    encoderInput = try Linear(scope["encoder.in"], c.spectrumWidth, c.encoderWidth)
    encoderBlocks = try blocks("encoder.blocks", c.encoderBlocks, c.encoderWidth, Self.kernel)
    encoderFold = try Linear(scope["encoder.fold"], c.fold * c.encoderWidth, c.bottleneckWidth)
    encoderBottleneck = try blocks(
      "encoder.bottleneck", c.bottleneckBlocks, c.bottleneckWidth, Self.bottleneckKernel)
    posterior = try Linear(scope["encoder.posterior"], c.bottleneckWidth, 2 * c.latentDimension)
    decoderInput = try Linear(scope["decoder.in"], c.latentDimension, c.bottleneckWidth)
    decoderBottleneck = try blocks(
      "decoder.bottleneck", c.bottleneckBlocks, c.bottleneckWidth, Self.bottleneckKernel)
    decoderUnfold = try Linear(scope["decoder.unfold"], c.bottleneckWidth, c.fold * c.decoderWidth)
    decoderBlocks = try blocks("decoder.blocks", c.decoderBlocks, c.decoderWidth, Self.kernel)
    headNorm = try LayerNorm(scope["decoder.norm"], c.decoderWidth)
    head = try Linear(scope["decoder.head"], c.decoderWidth, c.spectrumWidth)
    latentMean = try scope.weight("latents.mean", [c.latentDimension], .zeros)
    latentDeviation = try scope.weight("latents.deviation", [c.latentDimension], .constant(1))
    weights = scope.weights
  }

  public var sampleRate: Int { configuration.sampleRate }
  public var channels: Int { configuration.channels }
  public var latentDimension: Int { configuration.latentDimension }
  public var samplesPerFrame: Int { configuration.samplesPerFrame }
  public var delay: Int { configuration.fftSize - configuration.hop }

  /// Names of the parameters that training must leave alone.
  public static let statisticsNames: Set<String> = ["latents.mean", "latents.deviation"]
  /// Whether the parameter takes part in encoding: what latents depend on beside their statistics.
  public static func isOfEncoder(_ name: String) -> Bool { name.hasPrefix("encoder.") }

  public func encode(_ audio: Tensor) -> Tensor { normalize(posterior(of: audio).mean) }
  public func decode(_ latents: Tensor) -> Tensor { synthesize(denormalize(latents)) }

  // MARK: Training

  /// Mean and log-variance, `[B, frames, latentDimension]` each, of the raw latents of audio `[B, C, samples]`.
  public func posterior(of audio: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    let c = configuration
    precondition(
      audio.dim(1) == channels && audio.dim(2) % samplesPerFrame == 0,
      "audio \(audio.shape) does not fit the codec")
    let signal = rotateStereo(audio, scale: 0.5).reshape([audio.dim(0) * channels, -1]).pad(
      axis: 1, before: delay)
    var x = encoderInput(features(signal.frame(size: c.fftSize, hop: c.hop), batch: audio.dim(0)))
    for block in encoderBlocks { x = block(x) }
    x = folded(x)
    for block in encoderBottleneck { x = block(x) }
    return moments(x)
  }

  /// Audio `[B, C, frames · samplesPerFrame]` from raw latents `[B, frames, latentDimension]`.
  public func synthesize(_ latents: Tensor) -> Tensor {
    let batch = latents.dim(0)
    var x = decoderInput(latents)
    for block in decoderBottleneck { x = block(x) }
    x = unfolded(x)
    for block in decoderBlocks { x = block(x) }
    let signal = waveFrames(x).overlapAdd(hop: configuration.hop)
    let whole = signal.slice(axis: 1, delay..<signal.dim(1)).reshape([batch, channels, -1])
    return rotateStereo(whole, scale: 1)
  }

  public func normalize(_ raw: Tensor) -> Tensor {
    (raw - raw.backend.tensor(of: latentMean)) / raw.backend.tensor(of: latentDeviation)
  }

  public func denormalize(_ latents: Tensor) -> Tensor {
    latents * latents.backend.tensor(of: latentDeviation) + latents.backend.tensor(of: latentMean)
  }

  // MARK: Parts that whole sequences and streams share

  /// Left and right ↔ mid and side: (a + b, a − b) · scale. Mono passes.
  private func rotateStereo(_ audio: Tensor, scale: Float) -> Tensor {
    guard channels == 2 else { return audio }
    let (a, b) = (audio.slice(axis: 1, 0..<1), audio.slice(axis: 1, 1..<2))
    return .concatenate([(a + b) * scale, (a - b) * scale], axis: 1)
  }

  /// Sample frames `[B · C, F, fftSize]` → compressed spectra `[B, F, spectrumWidth]`: 0.34 · X · |X|^−0.35.
  private func features(_ frames: Tensor, batch: Int) -> Tensor {
    let c = configuration
    let spectrum = (frames * frames.backend.tensor(Spectral.hann(c.fftSize), shape: [c.fftSize])).rfft()
    let gain = (spectrum.square().sum(axis: -2) + 1e-10).pow(-0.175) * 0.34
    return (spectrum * gain).reshape([batch, channels, frames.dim(1), 2 * c.bins]).permute([0, 2, 1, 3])
      .reshape([batch, frames.dim(1), c.spectrumWidth])
  }

  private func folded(_ x: Tensor) -> Tensor {
    encoderFold(x.reshape([x.dim(0), -1, configuration.fold * x.dim(2)]))
  }
  private func unfolded(_ x: Tensor) -> Tensor {
    decoderUnfold(x).reshape([x.dim(0), -1, configuration.decoderWidth])
  }

  private func moments(_ x: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    let parts = posterior(x).split(axis: -1, parts: 2)
    // Starting near a deviation of 0.1: noise of deviation 1 drowns what an untrained encoder says, and the decoder
    // learns to ignore it.
    return (parts[0], (parts[1] - 4.5).maximum(-14).minimum(6))
  }

  /// Features `[B, F, decoderWidth]` → windowed sample frames `[B · C, F, fftSize]`, ready for overlap-add.
  private func waveFrames(_ x: Tensor) -> Tensor {
    let c = configuration
    let (batch, frames) = (x.dim(0), x.dim(1))
    let compressed = head(headNorm(x)).reshape([batch, frames, channels, 2, c.bins]) * (1 / 0.34)
    let power = compressed.square().sum(axis: 3) + 1e-8
    // |X| = (|Y| / 0.34)^(1 / 0.65), the inverse of the features' law.
    let spectrum = compressed * power.minimum(1e4).pow(0.5 * (1 / 0.65 - 1))
    let waves = spectrum.permute([0, 2, 1, 3, 4]).irfft().reshape([batch * channels, frames, c.fftSize])
    // The squared Hann windows of all frames over a sample sum to 3/8 of the overlap factor.
    let envelope = 0.375 * Float(c.fftSize / c.hop)
    return waves * x.backend.tensor(Spectral.hann(c.fftSize).map { $0 / envelope }, shape: [c.fftSize])
  }
}

// MARK: - Streaming

extension SpectralCodec {
  public var decoderMemory: Int {
    let c = configuration
    let spectra = c.decoderBlocks * (Self.kernel - 1) + c.fftSize / c.hop - 1
    return c.bottleneckBlocks * (Self.bottleneckKernel - 1) + (spectra + c.fold - 1) / c.fold
  }

  public func makeEncoder(engine: CPUEngine, stream: StreamState) -> any StreamingEncoder {
    let c = configuration
    var tail = stream.make([channels, delay])
    var states = encoderBlocks.map { $0.makeState(in: stream) }
    var bottleneck = encoderBottleneck.map { $0.makeState(in: stream) }
    return PlannedCodecStream(frameSize: channels * samplesPerFrame) { [self] batch, frames in
      engine.record(inputs: [.init([batch, channels, frames * samplesPerFrame]), .init([batch], .int32)]) {
        inputs in
        let slots = inputs[1]
        let signal = rotateStereo(inputs[0], scale: 0.5).reshape([batch * channels, frames * samplesPerFrame])
        let framed = signal.frame(size: c.fftSize, hop: c.hop, tail: &tail, slots: slots)
        var x = encoderInput(features(framed, batch: batch))
        for index in states.indices { x = encoderBlocks[index](x, state: &states[index], slots: slots) }
        x = folded(x)
        for index in bottleneck.indices {
          x = encoderBottleneck[index](x, state: &bottleneck[index], slots: slots)
        }
        return [normalize(moments(x).mean)]
      }
    }
  }

  public func makeDecoder(engine: CPUEngine, stream: StreamState) -> any StreamingDecoder {
    let c = configuration
    var tail = stream.make([channels, delay])
    var states = decoderBlocks.map { $0.makeState(in: stream) }
    var bottleneck = decoderBottleneck.map { $0.makeState(in: stream) }
    return PlannedCodecStream(frameSize: latentDimension) { [self] batch, frames in
      engine.record(inputs: [.init([batch, frames, latentDimension]), .init([batch], .int32)]) { inputs in
        let slots = inputs[1]
        var x = decoderInput(denormalize(inputs[0]))
        for index in bottleneck.indices {
          x = decoderBottleneck[index](x, state: &bottleneck[index], slots: slots)
        }
        x = unfolded(x)
        for index in states.indices { x = decoderBlocks[index](x, state: &states[index], slots: slots) }
        let signal = waveFrames(x).overlapAdd(hop: c.hop, tail: &tail, slots: slots)
        return [rotateStereo(signal.reshape([batch, channels, frames * samplesPerFrame]), scale: 1)]
      }
    }
  }
}

/// A codec direction as plans, one for each number of streams and of frames a call.
final class PlannedCodecStream: StreamingEncoder, StreamingDecoder {
  private struct Size: Hashable {
    var batch: Int
    var frames: Int
  }

  private let record: (_ batch: Int, _ frames: Int) -> Plan
  private let frameSize: Int
  private var plans: [Size: Plan] = [:]

  /// - Parameter frameSize: numbers of one frame of one stream.
  init(frameSize: Int, record: @escaping (_ batch: Int, _ frames: Int) -> Plan) {
    self.frameSize = frameSize
    self.record = record
  }

  func step(_ frames: UnsafeBufferPointer<Float>, slots: [Int32]) -> UnsafeBufferPointer<Float> {
    let size = Size(batch: slots.count, frames: frames.count / max(1, slots.count * frameSize))
    precondition(
      size.frames > 0 && frames.count == size.batch * size.frames * frameSize,
      "\(frames.count) values are no whole frames of \(frameSize) for \(slots.count) streams")
    let plan = plan(size)
    _ = plan.input(0).update(from: frames)
    _ = plan.integers(1).update(fromContentsOf: slots)
    plan.run()
    return plan.output(0)
  }

  private func plan(_ size: Size) -> Plan {
    if let known = plans[size] { return known }
    let plan = record(size.batch, size.frames)
    plans[size] = plan
    return plan
  }
}
