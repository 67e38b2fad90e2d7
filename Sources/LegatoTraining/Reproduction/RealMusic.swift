import Legato
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// Music that no training has seen, as rows are compared with it: as the codec gives it back, so that what the codec loses is neither held
/// against a model nor made up for by its settings.
struct RealMusic: Sendable {
  let reference: DriftReference
  let latents: LatentReference
  /// As many recordings as seeds that play, against the others.
  let control: DriftReport
  /// The same in stretches that all of them have: as they were before the codec, against the others as it gives them back; and as it gives
  /// them back themselves; and of their latents.
  let recorded: (before: Double, after: Double, latents: Double)?
  private let data: LatentDataset
  private let codec: CodecPackage
  /// Indices of those recordings in the reference, and stretches that all of them have.
  private let chosen: [Int]
  private let common: Int
  private let pieces: [LatentPiece]

  init(
    _ data: LatentDataset, codec: CodecPackage, experiment: CAMExperiment, threads: Int,
    style: ProgressStyle
  ) throws {
    let stretch = experiment.playing.stretch
    (self.data, self.codec) = (data, codec)
    let codec = codec.codec
    let pieces = data.index.pieces.filter { Double($0.frames) / codec.frameRate >= stretch + 1 }
    let progress = SharedProgress(
      "real music", total: pieces.reduce(0) { $0 + Double($1.frames) / codec.frameRate }, unit: "second",
      style: style)
    defer { progress.finish() }
    let sounds = try ParallelWork.map(pieces.count, threads: threads) { index in
      let piece = pieces[index]
      try Self.checkStop(data.path)
      return try MeasuredSound.decoded(
        try data.crop(piece: piece, start: 0, count: piece.frames), name: piece.id, codec: codec,
        stretch: stretch, made: progress.add)
    }
    let engine = CPUEngine(threads: threads)
    reference = try DriftReference(sounds, engine: engine)
    let sequences = try pieces.map(data.sequence)
    latents = try LatentReference(sequences, components: min(16, data.dimension))
    let count = min(experiment.playing.count, sounds.count / 2)
    let chosen = (0..<count).map { $0 * sounds.count / count }
    control = try DriftReport(
      DriftSystem(
        name: "\(count) real recordings", sounds: chosen.map { sounds[$0] },
        latents: chosen.map { sequences[$0] }, latentRate: codec.frameRate, leavingOut: Set(chosen)),
      reference: reference, latents: latents, engine: engine)
    let recordings = try ParallelWork.map(count, threads: threads) { index in
      try Self.checkStop(data.path)
      return try StretchMeter.measure(
        file: "\(data.index.source)/\(pieces[chosen[index]].path)", stretch: stretch,
        engine: CPUEngine(threads: 1))
    }
    let before = try DriftReport(
      DriftSystem(name: "recordings before the codec", sounds: recordings, leavingOut: Set(chosen)),
      reference: reference, engine: engine)
    let common = (recordings + chosen.map { sounds[$0] }).map(\.stretches).min() ?? 0
    (self.chosen, self.common, self.pieces) = (chosen, common, pieces)
    if let before = Self.mean(before, common), let after = Self.mean(control, common),
      let latents = Statistics.mean(control.stretches.prefix(common).compactMap { $0.latents?.frechet.value })
    {
      recorded = (before, after, latents)
    } else {
      recorded = nil
    }
  }

  private static func mean(_ report: DriftReport, _ stretches: Int) -> Double? {
    Statistics.mean(report.stretches.prefix(stretches).map(\.distance.frechet.value))
  }

  private static func checkStop(_ path: String) throws {
    guard !StopSignal.isRequested else {
      throw PrepareError(.cancelled, path, "stopped on request", "Type the same command again to go on.")
    }
  }

  /// Distance of the chosen recordings through a package's codes and back, in stretches that all of them have; nil for other samplers.
  func quantised(by package: ModelPackage, threads: Int) throws -> Double? {
    guard let codes = package.model.sampler.codes else { return nil }
    let sounds = try ParallelWork.map(chosen.count, threads: threads) { index in
      let piece = pieces[chosen[index]]
      let latents = try data.crop(piece: piece, start: 0, count: piece.frames)
      return try MeasuredSound.decoded(
        codes.quantised(latents, on: CPUEngine(threads: 1)), name: piece.id, codec: codec.codec,
        stretch: reference.stretchSeconds, made: { _ in })
    }
    return Self.mean(
      try DriftReport(
        DriftSystem(name: "recordings through codes", sounds: sounds, leavingOut: Set(chosen)),
        reference: reference, engine: CPUEngine(threads: threads)), common)
  }

  private struct Stopped: Error {}

  /// Lets a package play from seeds that tuning has not used; how like real music that is, and how often streams had to be mended.
  /// Nil where it was stopped.
  func report(
    _ name: String, _ package: ModelPackage, experiment: CAMExperiment, threads: Int, style: ProgressStyle
  ) throws -> (report: DriftReport, recoveries: Int, failures: Int)? {
    let (count, seconds, stretch) = experiment.playing
    let progress = SharedProgress("play", total: Double(count) * seconds, unit: "second", style: style)
    defer { progress.finish() }
    let rollouts: [MeasuredRollout]
    do {
      rollouts = try MeasuredRollout.all(
        of: package, (1...count).map { package.options(seed: UInt64($0)) }, seconds: seconds,
        stretch: stretch, keepsLatents: true, threads: threads, made: progress.add,
        check: { if StopSignal.isRequested { throw Stopped() } })
    } catch is Stopped { return nil }
    let report = try DriftReport(
      DriftSystem(
        name: name, sounds: rollouts.map(\.sound), latents: rollouts.map(\.latents),
        latentRate: package.codec.codec.frameRate),
      reference: reference, latents: latents, engine: CPUEngine(threads: threads))
    return (
      report, rollouts.reduce(0) { $0 + $1.recoveries }, rollouts.reduce(0) { $0 + $1.failures }
    )
  }
}
