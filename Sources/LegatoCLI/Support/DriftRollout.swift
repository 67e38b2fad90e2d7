import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// Sound of a model, measured as it is made: only a stretch of it is ever in memory.
struct DriftRollout: Sendable {
  var sound: MeasuredSound
  var latents: LatentSequence

  /// - Parameters:
  ///   - keepsLatents: whether latents are compared too.
  ///   - made: hears seconds as they are made.
  init(
    package: ModelPackage, options: GenerationOptions, seconds: Double, stretch: Double, keepsLatents: Bool,
    threads: Int, made: (Double) -> Void
  ) throws {
    let name = "seed \(options.seed)" + (options.style.map { " (\($0.name))" } ?? "")
    let session = Session(package, options: options, threads: threads)
    var limiter = TruePeakLimiter(sampleRate: session.sampleRate, channels: session.channels)
    let meter = try StretchMeter(
      name: name, sampleRate: session.sampleRate, channels: session.channels, stretch: stretch,
      engine: CPUEngine(threads: threads))
    var values: [Float] = []
    var left = Int((seconds * Double(session.sampleRate)).rounded())
    while left > 0 {
      let chunk = session.next()
      if keepsLatents { values += session.latents.latent }
      let length = min(left, chunk.channels[0].count)
      try meter.append(limiter.process(chunk.channels.map { Array($0.prefix(length)) }))
      left -= length
      made(Double(length) / Double(session.sampleRate))
    }
    sound = try meter.finish()
    latents = LatentSequence(name: name, dimension: session.latents.dimension, values: values)
  }
}

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
