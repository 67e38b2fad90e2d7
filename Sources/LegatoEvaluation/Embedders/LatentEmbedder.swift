import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// The latents of a codec: a row is one latent. Works without any weights but those of a package.
public final class LatentEmbedder: AudioEmbedder {
  public let details: EmbedderDetails
  private let codec: SpectralCodec
  private let engine: CPUEngine

  /// - Parameter digest: ``CodecPackage/sha256()``, read once for any number of embedders.
  public init(_ package: CodecPackage, digest: String, engine: CPUEngine) {
    (codec, self.engine) = (package.codec, engine)
    let seconds = 1 / codec.frameRate
    details = EmbedderDetails(
      name: "latents", weights: digest, sampleRate: codec.sampleRate, dimension: codec.latentDimension,
      window: seconds, hop: seconds,
      preparation:
        "latents of the codec \(package.configuration.name), encoder \(package.hash), normalised by its statistics; "
        + "\(codec.channels) channels, resampled by soxr VHQ; the last incomplete latent is dropped")
  }

  public func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    let prepared = try sound.converted(toChannels: codec.channels).resampled(to: codec.sampleRate)
    let encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    let size = codec.samplesPerFrame
    var rows: [Float] = []
    for frame in 0..<prepared.frameCount / size {
      let block = prepared.channels.flatMap { $0[frame * size..<(frame + 1) * size] }
      rows += block.withUnsafeBufferPointer { encoder.step($0) }
    }
    return EmbeddedSound(rows: rows)
  }
}
