import Legato
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// Sound of a model, measured as it is made: only a stretch of it is ever in memory.
package struct MeasuredRollout: Sendable {
  package var sound: MeasuredSound
  package var latents: LatentSequence
  /// How often the stream went back to a good state, and drew none all the same (``LatentStream``).
  package var recoveries: Int
  package var failures: Int

  /// One for each of `options`, side by side: a thread each is the best use of a core.
  ///
  /// - Parameters:
  ///   - made: hears seconds as they are made.
  ///   - check: is asked before each frame, from any thread, and may throw.
  package static func all(
    of package: ModelPackage, _ options: [GenerationOptions], seconds: Double, stretch: Double,
    keepsLatents: Bool, threads: Int, made: @escaping @Sendable (Double) -> Void = { _ in },
    check: @escaping @Sendable () throws -> Void = {}
  ) throws -> [MeasuredRollout] {
    let workers = max(1, min(threads, options.count))
    return try ParallelWork.map(options.count, threads: workers) { number in
      try MeasuredRollout(
        package: package, options: options[number], seconds: seconds, stretch: stretch,
        keepsLatents: keepsLatents, threads: max(1, threads / workers), made: made, check: check)
    }
  }

  /// - Parameters:
  ///   - keepsLatents: whether latents are compared too.
  ///   - made: hears seconds as they are made.
  ///   - check: is asked before each frame, and may throw.
  private init(
    package: ModelPackage, options: GenerationOptions, seconds: Double, stretch: Double, keepsLatents: Bool,
    threads: Int, made: (Double) -> Void, check: () throws -> Void
  ) throws {
    let name = "seed \(options.seed)" + (options.style.map { " (\($0.name))" } ?? "")
    let codec = package.codec.codec
    let (next, mended) = Self.player(package, options, stretch: stretch, threads: threads)
    var limiter = TruePeakLimiter(sampleRate: codec.sampleRate, channels: codec.channels)
    let meter = try StretchMeter(
      name: name, sampleRate: codec.sampleRate, channels: codec.channels, stretch: stretch,
      engine: CPUEngine(threads: threads))
    var values: [Float] = []
    var left = Int((seconds * Double(codec.sampleRate)).rounded())
    while left > 0 {
      try check()
      let (channels, latent) = next()
      if keepsLatents { values += latent }
      let length = min(left, channels[0].count)
      try meter.append(limiter.process(channels.map { Array($0.prefix(length)) }))
      left -= length
      made(Double(length) / Double(codec.sampleRate))
    }
    sound = try meter.finish()
    latents = LatentSequence(name: name, dimension: codec.latentDimension, values: values)
    (recoveries, failures) = mended()
  }

  /// Makes a frame's samples and latent; and how often it had to be mended.
  private static func player(
    _ package: ModelPackage, _ options: GenerationOptions, stretch: Double, threads: Int
  ) -> (
    next: () -> (channels: [[Float]], latent: [Float]), mended: () -> (recoveries: Int, failures: Int)
  ) {
    let backbone = package.model.configuration.backbone
    guard !backbone.isCausal else {
      let session = Session(package, options: options, threads: threads)
      return (
        { (session.next().channels, session.latents.latent) },
        { (session.latents.recoveries, session.latents.failures) }
      )
    }
    // Sequences as long as training had them at least (``ModelTask``), and of each what a stretch takes.
    let length = 3 * backbone.window
    let played = min(Int((stretch * package.codec.codec.frameRate).rounded()), length)
    let player = SequencePlayer(
      package, options: options, length: length, played: max(1, played), threads: threads)
    return (player.next, { (0, 0) })
  }
}
