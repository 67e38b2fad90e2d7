import LegatoAudio
import LegatoCodecs
import LegatoTensor

/// A sound file through a codec's encoder, block by block: an hour of sound is never in memory.
struct FileEncoder {
  private(set) var latents: [Float] = []
  /// Samples read so far, at the codec's rate.
  private(set) var samples = 0

  private let reader: AudioFileReader
  private let codec: SpectralCodec
  private let resampler: Resampler?
  private let encoder: any StreamingEncoder
  private let engine: CPUEngine
  private var pending: [[Float]]
  private var isAtEnd = false

  init(_ reader: AudioFileReader, codec: SpectralCodec, threads: Int?) throws {
    self.reader = reader
    self.codec = codec
    engine = CPUEngine(threads: threads)
    encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    resampler =
      reader.info.sampleRate == codec.sampleRate
      ? nil : try Resampler(from: reader.info.sampleRate, to: codec.sampleRate, channels: codec.channels)
    pending = Array(repeating: [], count: codec.channels)
  }

  var seconds: Double { Double(samples) / Double(codec.sampleRate) }

  /// Reads and encodes a block; false after the last.
  mutating func step() throws -> Bool {
    if isAtEnd { return false }
    if let block = try reader.read() {
      let fitted = block.converted(toChannels: codec.channels).channels
      append(try resampler?.process(fitted) ?? fitted)
    } else {
      isAtEnd = true
      if let resampler { append(try resampler.finish()) }
      // Silence until the decoder can give all samples back, and to a whole frame.
      let length = pending[0].count + codec.delay
      let padded = (length + codec.samplesPerFrame - 1) / codec.samplesPerFrame * codec.samplesPerFrame
      for channel in pending.indices {
        pending[channel] += [Float](repeating: 0, count: padded - pending[channel].count)
      }
    }
    encodePending()
    return !isAtEnd
  }

  private mutating func append(_ planes: [[Float]]) {
    samples += planes[0].count
    for channel in pending.indices { pending[channel] += planes[channel] }
  }

  private mutating func encodePending() {
    let size = codec.samplesPerFrame
    let frames = pending[0].count / size
    for frame in 0..<frames {
      let block = pending.flatMap { $0[frame * size..<(frame + 1) * size] }
      block.withUnsafeBufferPointer { latents += encoder.step($0) }
    }
    for channel in pending.indices { pending[channel].removeFirst(frames * size) }
  }
}
