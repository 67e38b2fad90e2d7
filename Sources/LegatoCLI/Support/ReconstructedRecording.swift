import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoTensor

/// A real recording as a codec gives it back, measured in the same way.
enum ReconstructedRecording {
  static func measure(_ path: String, codec: any AudioCodec, seconds: Double, stretch: Double) throws
    -> MeasuredSound
  {
    let engine = CPUEngine(threads: 1)
    let encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    let decoder = codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
    let reader = try AudioFileReader(path: path)
    let resampler =
      reader.info.sampleRate == codec.sampleRate
      ? nil
      : try Resampler(from: reader.info.sampleRate, to: codec.sampleRate, channels: reader.info.channels)
    let meter = try StretchMeter(
      name: path, sampleRate: codec.sampleRate, channels: codec.channels, stretch: stretch, engine: engine)
    let size = codec.samplesPerFrame
    var left = Int((seconds * Double(codec.sampleRate)).rounded())
    var pending = [[Float]](repeating: [], count: codec.channels)
    var (delay, isEnded) = (codec.delay, false)
    while left > 0, !isEnded {
      let block = try reader.read()
      isEnded = block == nil
      var planes = block?.channels ?? []
      if let resampler { planes = try block == nil ? resampler.finish() : resampler.process(planes) }
      if isEnded, planes.isEmpty { break }
      let sound = AudioBuffer(sampleRate: codec.sampleRate, channels: planes)
        .converted(toChannels: codec.channels)
      for channel in pending.indices { pending[channel] += sound.channels[channel] }
      while left > 0, pending[0].count >= size {
        let frame = pending.flatMap { $0[..<size] }
        for channel in pending.indices { pending[channel].removeFirst(size) }
        let made = frame.withUnsafeBufferPointer { decoder.step(encoder.step($0)) }
        // What comes first belongs to before the recording.
        let skipped = min(delay, size)
        delay -= skipped
        let length = min(left, size - skipped)
        left -= length
        try meter.append(
          (0..<codec.channels).map { channel in
            let start = channel * size + skipped
            return Array(made[start..<start + length])
          })
      }
    }
    return try meter.finish()
  }
}
