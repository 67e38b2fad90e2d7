import LegatoTensor

/// The autoencoder between waveforms and latents.
///
/// Signals are `[batch, channels, samples]` in ±1 at `sampleRate`; latents `[batch, frames, latentDimension]`,
/// normalised to mean 0 and variance 1 by statistics that the codec stores.
public protocol AudioCodec: Sendable {
  var sampleRate: Int { get }
  var channels: Int { get }
  var latentDimension: Int { get }
  /// Samples of one latent: `sampleRate / frameRate`.
  var samplesPerFrame: Int { get }
  /// Samples by which streamed decoding lags behind its latents.
  var delay: Int { get }
  /// Every parameter, in a stable order.
  var weights: [Weight] { get }

  /// samples must be a multiple of `samplesPerFrame`; gives samples / samplesPerFrame frames.
  func encode(_ audio: Tensor) -> Tensor
  /// The inverse; the last `delay` samples lack the frames that would follow and fade out.
  func decode(_ latents: Tensor) -> Tensor

  /// Decoding one latent a call, equal to `decode` but `delay` samples later.
  func makeDecoder(engine: CPUEngine, stream: StreamState) -> any StreamingDecoder
  /// Encoding some frames a call, equal to `encode`.
  func makeEncoder(engine: CPUEngine, stream: StreamState) -> any StreamingEncoder
  /// How many latents before the present one decoded sound depends on.
  var decoderMemory: Int { get }
}

extension AudioCodec {
  /// Latents a second.
  public var frameRate: Double { Double(sampleRate) / Double(samplesPerFrame) }
}

/// Latents in, samples out, one frame a call of one stream or of several. State belongs to the ``StreamState`` it was made with.
public protocol StreamingDecoder: AnyObject {
  /// Latents `[B, latentDimension]` of the streams in these slots → samples `[B, channels, samplesPerFrame]`, valid until the
  /// next call. The first call with a number of streams records a plan; later ones do not allocate.
  func step(_ latents: UnsafeBufferPointer<Float>, slots: [Int32]) -> UnsafeBufferPointer<Float>
}

/// Samples in, latents out, some frames a call (as many as the samples make) of one stream or of several.
public protocol StreamingEncoder: AnyObject {
  /// Samples `[B, channels, frames · samplesPerFrame]` → latents `[B, frames, latentDimension]`, valid until the next call.
  func step(_ samples: UnsafeBufferPointer<Float>, slots: [Int32]) -> UnsafeBufferPointer<Float>
}

private let firstSlot: [Int32] = [0]

extension StreamingDecoder {
  /// One latent `[latentDimension]` of the stream in slot 0 → samples `[channels, samplesPerFrame]`.
  public func step(_ latent: UnsafeBufferPointer<Float>) -> UnsafeBufferPointer<Float> {
    step(latent, slots: firstSlot)
  }
}

extension StreamingEncoder {
  /// Samples `[channels, frames · samplesPerFrame]` of the stream in slot 0 → latents `[frames, latentDimension]`.
  public func step(_ samples: UnsafeBufferPointer<Float>) -> UnsafeBufferPointer<Float> {
    step(samples, slots: firstSlot)
  }
}
