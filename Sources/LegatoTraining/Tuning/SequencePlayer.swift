import Legato
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// Plays a model that draws whole sequences, one after the other, frame by frame as a session would: to be measured beside models that
/// stream, not to be listened to, since sequences know nothing of each other.
final class SequencePlayer {
  private let package: ModelPackage
  private let options: GenerationOptions
  private let frames: Int
  private let engine: CPUEngine
  private var decoder: any StreamingDecoder
  private var latents: [Float] = []
  private var position = 0

  /// - Parameter frames: latents of a sequence.
  init(_ package: ModelPackage, options: GenerationOptions, frames: Int, threads: Int) {
    (self.package, self.options, self.frames) = (package, options, frames)
    engine = CPUEngine(threads: threads)
    decoder = package.codec.codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
  }

  /// Planar samples of the next frame, and the latent that they are made from, `[dimension]`.
  func next() -> (channels: [[Float]], latent: [Float]) {
    let codec = package.codec.codec
    let (size, d) = (codec.samplesPerFrame, codec.latentDimension)
    if position % frames == 0 {
      latents = package.model.sequence(
        frames, steps: options.steps, temperature: options.temperature,
        random: RandomStream(seed: options.seed, stream: UInt64(position / frames)), on: engine)
      decoder = codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
    }
    let latent = Array(latents[position % frames * d..<(position % frames + 1) * d])
    position += 1
    let samples = latent.withUnsafeBufferPointer { decoder.step($0) }
    return ((0..<codec.channels).map { Array(samples[$0 * size..<($0 + 1) * size]) }, latent)
  }
}
