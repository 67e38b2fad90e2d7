import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTorch

/// Runs a ``CAMExperiment`` in a folder: corpus, latents, every row of every seed; what is there already is not done again.
public struct CAMReproduction: Sendable {
  public var experiment: CAMExperiment
  /// Holds everything that is made.
  public let folder: String
  /// Holds what finished rows came to, one file each.
  public var results: String
  /// The codec's package.
  public var codec: String
  /// Names of the rows that are made; empty for all. What others came to before is told all the same, where it was measured as today.
  public var rows: [String] = []
  public var threads = Platform.processorCount
  /// Seconds; nil for no limit.
  public var timeLimit: Int?
  public var soundFont: String?
  public var style = ProgressStyle.automatic
  /// Hears what is done next, and what it came to.
  public var tell: @Sendable (String) -> Void = { _ in }

  public init(_ experiment: CAMExperiment, folder: String, codec: String) {
    // A run says where its latents are, and goes on only with the same.
    self.folder = URL(fileURLWithPath: folder).standardizedFileURL.path
    results = self.folder + "/rows"
    (self.experiment, self.codec) = (experiment, codec)
  }

  /// What is there when it ends.
  public struct Outcome: Sendable {
    public var results: [CAMResult]
    /// Rows and seeds that are still to be done.
    public var missing: [String]
    /// Those that failed, and why.
    public var failures: [String]
    /// As many real recordings as seeds that play, against the others.
    public var real: DriftReport
    /// Mean distance of stretches that all of these recordings have: before the codec, as it gives them back, and of latents.
    public var recorded: (before: Double, after: Double, latents: Double)?
    public var material: Material
    public var warnings: [String]

    /// What was trained on and measured with: two pages compare where these are the same.
    public struct Material: Sendable {
      /// Fingerprints of the latents.
      public var training: String
      public var heldOut: String
      /// SHA-256 of the codec's weights, and of the patches' embedding, which is fitted on held-out music.
      public var codec: String
      public var embedding: String
    }
  }

  private struct Job {
    var row: CAMExperiment.Row
    var seed: Int
    var name: String { "\(row.name), seed \(seed)" }
  }

  /// Rows in the order of their worth, one seed after the other.
  private var jobs: [Job] {
    (1...experiment.seeds).flatMap { seed in
      CAMExperiment.rows.filter { seed == 1 || $0.isDeciding }.map { Job(row: $0, seed: seed) }
    }
  }

  /// Throws ``TrainingError`` and what corpus, preparation and training throw; a signal, or the limit's end once there is music, is no error.
  public func run() throws -> Outcome {
    StopSignal.install()
    for name in rows where !CAMExperiment.rows.contains(where: { $0.name == name }) {
      throw TrainingError(
        "there is no row '\(name)'",
        "Choose among \(CAMExperiment.rows.map(\.name).joined(separator: ", ")).")
    }
    // Before hours of music are rendered.
    try TorchRuntime.check()
    let limit = TimeLimit(seconds: timeLimit)
    let isOver: @Sendable () -> Bool = { StopSignal.isRequested || limit.isOver() }
    let (data, heldOut): (LatentDataset, LatentDataset)
    do {
      for path in [folder, locks, results] { try RunFolder.createFolder(path) }
      // Who comes second finds the music there.
      let lock = try FolderLock.waiting(folder: folder, isOver: isOver) {
        tell("\(folder): another process is making the music; waits for it")
      }
      defer { withExtendedLifetime(lock) {} }
      data = try latents(
        of: try corpus("corpus", hours: experiment.hours.training, seed: 1, isOver), "latents", isOver)
      heldOut = try latents(
        of: try corpus("held-out", hours: experiment.hours.heldOut, seed: 2, isOver), "held-out-latents",
        isOver)
    } catch  where limit.isOver() && !StopSignal.isRequested && Self.isCancellation(error) {
      throw TrainingError(
        "the time limit ended before the music in \(folder) was ready",
        "Type the same command again: it goes on where it stopped.")
    }
    let codec = try CodecPackage(path: self.codec)
    let real = try RealMusic(
      heldOut, codec: codec, experiment: experiment, threads: threads, style: style)
    // The latents' fingerprint knows the encoder alone, and what plays is heard through the decoder.
    let material = Outcome.Material(
      training: data.fingerprint, heldOut: heldOut.fingerprint, codec: try codec.sha256(),
      embedding: real.reference.embedding.digest)
    let measured = [material.heldOut, material.codec]
    var failures: [String: String] = [:]
    // The others are worth having: a row that diverges would do so every time.
    func keepsGoing(_ job: Job, _ body: () throws -> Void) {
      do { try body() } catch {
        failures[job.name] = "\(job.name): \(error)"
        tell("\(job.name): \(error)")
      }
    }
    // What others make meanwhile is looked at again, as long as there is something to do beside it.
    var open = jobs.filter { rows.isEmpty || rows.contains($0.row.name) }
    var busy: [Job] = []
    var makes = true
    while makes, !isOver() {
      (makes, busy) = (false, [])
      for job in open where !isOver() {
        keepsGoing(job) {
          let weights = try trainingKey(job, data)
          guard let lock = try FolderLock.ifFree(folder: locks, name: "\(weights).lock") else {
            busy.append(job)
            return
          }
          defer { withExtendedLifetime(lock) {} }
          let key = try key(job, data, measured)
          let known = try known(job, key)
          guard known?.measuring != CAMExperiment.measuring else { return }
          makes = true
          try make(job, key, known, data: data, real: real, codec: codec, limit, isOver)
        }
      }
      open = busy
    }
    var (results, missing): ([CAMResult], [String]) = ([], [])
    for job in jobs where failures[job.name] == nil {
      keepsGoing(job) {
        if let known = try known(job, key(job, data, measured)), known.measuring == CAMExperiment.measuring {
          results.append(known)
        } else {
          missing.append(job.name)
          if busy.contains(where: { $0.name == job.name }) {
            tell("\(job.name): left, since another process is at work on its weights")
          }
        }
      }
    }
    return Outcome(
      results: results, missing: missing, failures: jobs.compactMap { failures[$0.name] }, real: real.control,
      recorded: real.recorded, material: material,
      warnings: real.reference.warnings(lasting: experiment.playing.seconds))
  }

  // MARK: Data

  private static func isCancellation(_ error: any Error) -> Bool {
    (error as? PrepareError)?.kind == .cancelled || (error as? CorpusError) == .cancelled
  }

  private func corpus(
    _ name: String, hours: Double, seed: UInt64, _ isOver: @escaping @Sendable () -> Bool
  ) throws -> String {
    var options = CorpusOptions(hours: hours, output: URL(fileURLWithPath: "\(folder)/\(name)"))
    options.seed = seed
    options.maximumMinutes = experiment.maximumMinutes
    options.instruments = experiment.instruments.programs
    options.soundFont = soundFont.map { URL(fileURLWithPath: $0) }
    options.threads = threads
    let line = ProgressLine(name, total: nil, unit: "piece", style: style)
    defer { line.finish() }
    return try renderCorpus(
      options, progress: { line.update($0.pieces) }, isCancelled: isOver
    ).manifest.path
  }

  private func latents(
    of corpus: String, _ name: String, _ isOver: @escaping @Sendable () -> Bool
  ) throws -> LatentDataset {
    let path = "\(folder)/\(name)"
    var options = PrepareOptions(input: corpus, codec: codec, output: path)
    (options.threads, options.excerpts) = (threads, 0)
    _ = try Preparation(options).run(style: style, isCancelled: isOver)
    return try LatentDataset(path: path)
  }

  // MARK: Rows

  /// Whoever is at work on a row holds the lock of its weights.
  private var locks: String { folder + "/locks" }

  /// Weights have a folder by their recipe and data, which rows that differ only in how they play share.
  private func trainingKey(_ job: Job, _ data: LatentDataset) throws -> String {
    let recipe = try experiment.recipe(job.row, seed: job.seed)
    return DataFingerprint.of(["\(CAMExperiment.revision)", recipe.yaml, data.fingerprint])
  }

  /// Whether a row before it has the same weights.
  private func isShared(_ job: Job, _ data: LatentDataset) throws -> Bool {
    let key = try trainingKey(job, data)
    return try CAMExperiment.rows.prefix { $0 != job.row }.contains {
      try trainingKey(Job(row: $0, seed: job.seed), data) == key
    }
  }

  /// - Parameter measured: fingerprints of what rows are measured with.
  private func key(_ job: Job, _ data: LatentDataset, _ measured: [String]) throws -> String {
    let settings = try experiment.model(job.row, seed: job.seed)
    var start = settings.transform.sequenceTransform.generation(with: settings.sampler.kind)
    start.steps = min(start.steps, experiment.tuning.mostSteps)
    return DataFingerprint.of(
      [
        try trainingKey(job, data), "\(job.row.hasContextNoise)", "\(experiment.tuning)",
        "\(experiment.playing)", "\(start)", "\(CAMExperiment.searching)",
      ] + measured)
  }

  private func resultPath(_ job: Job) -> String { "\(results)/\(job.row.name)-\(job.seed).json" }

  private func known(_ job: Job, _ key: String) throws -> CAMResult? {
    let path = resultPath(job)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let unreadable = TrainingError(
      "\(path) cannot be read as a row's result", "Remove it to have the row done again.")
    struct Keyed: Decodable { var key: String }
    guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: path)),
      let kept = try? JSONDecoder().decode(Keyed.self, from: bytes)
    else { throw unreadable }
    // Of another recipe, and perhaps of another Legato: not to be read, but to be done again.
    guard kept.key == key else { return nil }
    guard let result = try? JSONDecoder().decode(CAMResult.self, from: bytes) else { throw unreadable }
    return result
  }

  /// Writes no result where it was stopped.
  ///
  /// - Parameter known: a result that was measured otherwise, whose settings are taken.
  private func make(
    _ job: Job, _ key: String, _ known: CAMResult?, data: LatentDataset, real: RealMusic,
    codec: CodecPackage, _ limit: TimeLimit, _ isOver: @escaping @Sendable () -> Bool
  ) throws {
    let run = "\(folder)/trained/\(try trainingKey(job, data))"
    // Settings are of these weights: where they are gone, others are trained and have settings of their own.
    let known = FileManager.default.fileExists(atPath: "\(run)/package") ? known : nil
    if known == nil { tell("\(job.name): trains") }
    var recipe = try experiment.recipe(job.row, seed: job.seed)
    (recipe.data.source, recipe.threads) = (data.path, threads)
    recipe.timeLimit = limit.remaining.map { max(1, Int($0)) }
    var options = TrainerOptions()
    options.style = style
    let start = monotonicSeconds()
    let outcome = try Trainer.run(recipe: recipe, folder: run, options: options)
    guard outcome.end == .finished, let path = outcome.package, !isOver() else { return }
    let trained = monotonicSeconds() - start
    var package = try ModelPackage(path: path, streams: false)
    // The decoder of today: a package keeps that of its training, and the latents that of the first preparation.
    package = package.with(generation: package.configuration.generation, codec: codec)
    var (settings, trials) = (known?.settings ?? package.configuration.generation, known?.search ?? [])
    var tuning = 0.0
    if known == nil {
      tell("\(job.name): looks for the settings it plays best with")
      guard let found = try tuned(package, data, job, key, run: run, limit) else { return }
      let search = found.outcome
      tuning = found.seconds
      (settings, trials) = (search.settings, search.trials)
    }
    package = package.with(generation: settings)
    let playing = monotonicSeconds()
    tell("\(job.name): plays")
    guard
      let played = try real.report(
        job.name, package, experiment: experiment, threads: threads, style: style)
    else { return }
    let result = CAMResult(
      row: job.row.name, seed: job.seed, key: key, measuring: CAMExperiment.measuring,
      parameters: package.model.weights.reduce(0) { $0 + $1.count }, updates: outcome.step,
      losses: outcome.losses, settings: settings, search: trials,
      seconds: .init(
        training: try isShared(job, data) ? nil : package.configuration.training?.seconds ?? trained,
        tuning: known?.seconds.tuning ?? tuning, measuring: monotonicSeconds() - playing),
      hardware: package.configuration.training?.hardware ?? "",
      quantised: try real.quantised(by: package, threads: threads), recoveries: played.recoveries,
      failures: played.failures, report: played.report)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try DurableFile.write(Array(try encoder.encode(result)), to: resultPath(job))
  }

  /// What a search that was stopped has tried, beside the weights that it is of.
  private struct Search: Codable {
    var key: String
    /// Wall time.
    var seconds = 0.0
    var trials: [SettingsTuner.Trial] = []
  }

  /// A row's best temperature and context noise, by the Fréchet distance of all that is played, on music that is not measured with, and
  /// the seconds that it took; nil where it was stopped, or the limit ended after a trial.
  private func tuned(
    _ package: ModelPackage, _ data: LatentDataset, _ job: Job, _ key: String, run: String, _ limit: TimeLimit
  ) throws
    -> (outcome: SettingsTuner.Outcome, seconds: Double)?
  {
    let row = job.row
    var start = package.configuration.generation
    start.steps = min(start.steps, experiment.tuning.mostSteps)
    if !row.hasContextNoise { start.contextNoise = 0 }
    let path = "\(run)/search-\(row.name).json"
    let kept = (try? Data(contentsOf: URL(fileURLWithPath: path))).flatMap {
      try? JSONDecoder().decode(Search.self, from: $0)
    }
    var search = kept.flatMap { $0.key == key ? $0 : nil } ?? Search(key: key)
    let (before, began) = (search.seconds, monotonicSeconds())
    var tuner = SettingsTuner(
      package: package.with(generation: start), data: data.filtered { $0.split != .test }, threads: threads)
    (tuner.trials, tuner.count, tuner.seconds, _) = experiment.tuning
    tuner.tuned = row.hasContextNoise ? [.contextNoise, .temperature] : [.temperature]
    (tuner.criterion, tuner.style, tuner.known) = (.distance, style, search.trials)
    tuner.goesOn = { trial in
      search.trials.append(trial)
      search.seconds = before + monotonicSeconds() - began
      try DurableFile.write(Array(try JSONEncoder().encode(search)), to: path)
      return !limit.isOver()
    }
    return try tuner.run().map { ($0, before + monotonicSeconds() - began) }
  }
}
