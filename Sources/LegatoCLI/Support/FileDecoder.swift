import LegatoCodecs
import LegatoTensor

/// Latents through a codec's decoder, one frame a call, lined up with the recording that they came from.
struct FileDecoder {
  private let file: LatentFile
  private let codec: SpectralCodec
  private let engine: CPUEngine
  private let decoder: any StreamingDecoder
  private var frame = 0
  /// Samples of the decoder's delay still to be dropped.
  private var lead: Int
  private var left: Int

  init(_ file: LatentFile, codec: SpectralCodec, threads: Int?) {
    self.file = file
    self.codec = codec
    engine = CPUEngine(threads: threads)
    decoder = codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
    lead = codec.delay
    left = file.samples
  }

  /// The next samples `[channel][sample]`, nil at the end.
  mutating func next() -> [[Float]]? {
    while left > 0 {
      // Files of other makers may lack the frames that the decoder's delay needs: zeros are the mean latent.
      let given = frame < file.frames ? file.latents[frame * file.dimension..<(frame + 1) * file.dimension] : nil
      let latent = given.map(Array.init) ?? [Float](repeating: 0, count: file.dimension)
      frame += 1
      let samples = latent.withUnsafeBufferPointer { decoder.step($0) }
      let size = samples.count / codec.channels
      let dropped = min(lead, size)
      lead -= dropped
      let length = min(size - dropped, left)
      left -= length
      if length == 0 { continue }
      return (0..<codec.channels).map { Array(samples[$0 * size + dropped..<$0 * size + dropped + length]) }
    }
    return nil
  }
}
