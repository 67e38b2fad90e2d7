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
  /// Encoding `samplesPerFrame` samples a call, equal to `encode`.
  func makeEncoder(engine: CPUEngine, stream: StreamState) -> any StreamingEncoder
}

extension AudioCodec {
  /// Latents a second.
  public var frameRate: Double { Double(sampleRate) / Double(samplesPerFrame) }
}

/// Latents in, samples out, one frame a call. State belongs to the stream it was made with.
public protocol StreamingDecoder: AnyObject {
  /// One latent `[latentDimension]` → samples `[channels, samplesPerFrame]`, valid until the next call.
  func step(_ latent: UnsafeBufferPointer<Float>) -> UnsafeBufferPointer<Float>
}

/// Samples in, latents out, one frame a call.
public protocol StreamingEncoder: AnyObject {
  /// Samples `[channels, samplesPerFrame]` → one latent `[latentDimension]`, valid until the next call.
  func step(_ samples: UnsafeBufferPointer<Float>) -> UnsafeBufferPointer<Float>
}
