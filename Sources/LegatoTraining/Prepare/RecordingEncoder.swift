import LegatoAudio
import LegatoCodecs
import LegatoTensor

/// Encodes recordings one after the other, frame by frame, in the same memory. Belongs to one thread.
final class RecordingEncoder {
  private let codec: any AudioCodec
  private let stream: StreamState
  private let encoder: any StreamingEncoder
  /// One frame `[channels, samplesPerFrame]`.
  private var frame: [Float]
  private var filled = 0

  init(codec: any AudioCodec, threads: Int = 1) {
    self.codec = codec
    let engine = CPUEngine(threads: threads)
    stream = StreamState(engine: engine)
    encoder = codec.makeEncoder(engine: engine, stream: stream)
    frame = [Float](repeating: 0, count: codec.channels * codec.samplesPerFrame)
  }

  /// Streams a recording through the codec; zeros fill its last frame.
  ///
  /// - Parameters:
  ///   - padding: samples of silence encoded after the end.
  ///   - emit: receives each latent `[latentDimension]`, valid during the call.
  /// - Returns: samples of the recording at the codec's rate.
  /// - Throws: ``AudioError``; ``PrepareError`` for silence, latents that are not finite, or a request to stop.
  func encode(
    _ path: String, padding: Int = 0, isCancelled: () -> Bool = { false },
    emit: (UnsafeBufferPointer<Float>) throws -> Void
  ) throws -> Int {
    stream.reset()
    filled = 0
    let reader = try RecordingReader(path: path, sampleRate: codec.sampleRate, channels: codec.channels)
    var samples = 0
    while let block = try reader.next() {
      if isCancelled() {
        throw PrepareError(.cancelled, path, "stopped on request", "Run the same command again to go on.")
      }
      samples += block[0].count
      try append(block, path: path, emit: emit)
    }
    guard samples > 0 else { throw AudioError.empty(path: path) }
    guard reader.peak > 0 else {
      throw PrepareError(.unusable, path, "it is silent: every sample is zero", "Record or export it again.")
    }
    let tail =
      (samples + padding + codec.samplesPerFrame - 1) / codec.samplesPerFrame * codec.samplesPerFrame
      - samples
    let silence = [Float](repeating: 0, count: tail)
    try append(Array(repeating: silence, count: codec.channels), path: path, emit: emit)
    return samples
  }

  private func append(
    _ block: [[Float]], path: String, emit: (UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    let size = codec.samplesPerFrame
    let total = block[0].count
    var position = 0
    while position < total {
      let count = min(size - filled, total - position)
      for (channel, samples) in block.enumerated() {
        let target = channel * size + filled
        frame.replaceSubrange(target..<target + count, with: samples[position..<position + count])
      }
      filled += count
      position += count
      guard filled == size else { break }
      filled = 0
      let latent = frame.withUnsafeBufferPointer { encoder.step($0) }
      guard latent.allSatisfy(\.isFinite) else {
        throw PrepareError(
          .unusable, path, "the codec gives NaN or infinite latents for it",
          "Check the recording's level, and the codec with `legato info`.")
      }
      try emit(latent)
    }
  }
}
