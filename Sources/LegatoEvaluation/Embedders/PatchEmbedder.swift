import LegatoAudio
import LegatoTensor

/// Log-mel patches on the principal components of a reference (``PatchEmbedding``): works without any weights.
public final class PatchEmbedder: AudioEmbedder {
  public let details: EmbedderDetails
  private let embedding: PatchEmbedding
  private let engine: CPUEngine

  public init(_ embedding: PatchEmbedding, engine: CPUEngine) {
    (self.embedding, self.engine) = (embedding, engine)
    let explained = (100 * embedding.projection.explained).rounded()
    details = EmbedderDetails(
      name: "patches", weights: embedding.digest, sampleRate: LogMelAnalyser.sampleRate,
      dimension: embedding.dimension, window: PatchEmbedding.seconds, hop: PatchEmbedding.seconds,
      preparation:
        "mono mix, resampled by soxr VHQ; \(LogMelAnalyser.bands) log-mel bands, \(PatchEmbedding.steps) steps of 80 ms; the last "
        + "incomplete patch is dropped. On \(embedding.dimension) principal components of this reference, \(Int(explained)) % of "
        + "its variance: numbers of another reference do not compare")
  }

  public func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    EmbeddedSound(rows: embedding.rows(try Self.frames(of: sound, engine: engine)))
  }

  /// Frames of ``LogMelAnalyser`` of a whole sound, `[frames, bands]`: what an embedding is fitted on.
  public static func frames(of sound: AudioBuffer, engine: CPUEngine) throws -> [Float] {
    let analyser = LogMelAnalyser(engine: engine)
    analyser.append(
      try sound.converted(toChannels: 1).resampled(to: LogMelAnalyser.sampleRate).channels[0])
    return analyser.frames
  }
}
