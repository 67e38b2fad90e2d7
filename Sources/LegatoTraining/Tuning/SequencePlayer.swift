import Legato
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// Plays a model that draws whole sequences, one after the other, frame by frame as a session would: to be measured beside models that
/// stream, not to be listened to, since sequences know nothing of each other.
final class SequencePlayer {
  private let package: ModelPackage
  private let options: GenerationOptions
  private let length: Int
  private let played: Int
  private let engine: CPUEngine
  private var decoder: any StreamingDecoder
  private var latents: [Float] = []
  private var position = 0

  /// - Parameters:
  ///   - length: latents of a sequence.
  ///   - played: how many of its first are played.
  init(_ package: ModelPackage, options: GenerationOptions, length: Int, played: Int, threads: Int) {
    (self.package, self.options, self.length, self.played) = (package, options, length, played)
    engine = CPUEngine(threads: threads)
    decoder = package.codec.codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
  }

  /// Planar samples of the next frame, and the latent that they are made from, `[dimension]`.
  func next() -> (channels: [[Float]], latent: [Float]) {
    let codec = package.codec.codec
    let (size, d) = (codec.samplesPerFrame, codec.latentDimension)
    if position % played == 0 {
      latents = package.model.sequence(
        length, steps: options.steps, temperature: options.temperature,
        random: RandomStream(seed: options.seed, stream: UInt64(position / played)), on: engine)
      decoder = codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
    }
    let latent = Array(latents[position % played * d..<(position % played + 1) * d])
    position += 1
    let samples = latent.withUnsafeBufferPointer { decoder.step($0) }
    return ((0..<codec.channels).map { Array(samples[$0 * size..<($0 + 1) * size]) }, latent)
  }
}
