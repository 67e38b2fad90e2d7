import Legato
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// Sound of a model, measured as it is made: only a stretch of it is ever in memory.
package struct MeasuredRollout: Sendable {
  package var sound: MeasuredSound
  package var latents: LatentSequence

  /// One for each of `options`, side by side: a thread each is the best use of a core.
  ///
  /// - Parameters:
  ///   - made: hears seconds as they are made.
  ///   - check: is asked before each, and may throw.
  package static func all(
    of package: ModelPackage, _ options: [GenerationOptions], seconds: Double, stretch: Double,
    keepsLatents: Bool, threads: Int, made: @escaping @Sendable (Double) -> Void = { _ in },
    check: @escaping @Sendable () throws -> Void = {}
  ) throws -> [MeasuredRollout] {
    let workers = max(1, min(threads, options.count))
    return try ParallelWork.map(options.count, threads: workers) { number in
      try check()
      return try MeasuredRollout(
        package: package, options: options[number], seconds: seconds, stretch: stretch,
        keepsLatents: keepsLatents, threads: max(1, threads / workers), made: made)
    }
  }

  /// - Parameters:
  ///   - keepsLatents: whether latents are compared too.
  ///   - made: hears seconds as they are made.
  package init(
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
