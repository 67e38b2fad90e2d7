import Foundation
import LegatoModels
import LegatoTensor
import LegatoTorch

/// How a run is shown and how long it may take.
public struct TrainerOptions: Sendable {
  public var style = ProgressStyle.automatic
  /// Overfits one batch instead of training, and says what is wrong where that fails.
  public var checkOnly = false

  public init() {}
}

/// How a run ended.
public struct TrainingOutcome: Sendable {
  public enum End: String, Sendable {
    case finished
    /// The held-out loss had not fallen for as long as the recipe's patience lasts.
    case noBetter = "no-better"
    case timeLimit = "time-limit"
    case interrupted
  }
  public var end: End
  public var step: Int
  /// The package that was written; nil where a run was stopped before its first step.
  public var package: String?
  /// Whose weights the package has: `step`, or that of the lowest held-out loss.
  public var packageStep: Int
  /// Of that step, as far as they were measured.
  public var losses: [String: Double]
}

/// Runs a recipe: steps, evaluation, samples, checkpoints, resuming.
///
/// All of it is one synchronous call on the caller's thread, since gradient mode and autocast belong to a thread.
/// Data and noise of a step are functions of (seed, step), so a run that was stopped by any means goes on from its
/// last checkpoint as if it never had been.
public final class Trainer {
  private let recipe: Recipe
  private let task: any TrainingTask
  private let folder: RunFolder
  private let backend: TorchBackend
  private let optimizer: AdamW
  private let opponent: (weights: [Weight], optimizer: AdamW, learningRate: Double)?
  private let average: ExponentialMovingAverage
  private let schedule: Schedule
  private let progress: ProgressLine
  private let log: ProgressLog
  private let board: TensorBoardWriter
  private let machine: MachineRecord
  private let style: ProgressStyle
  private var step: Int
  private var earlierSeconds: Double
  private let began = monotonicSeconds()
  private var lastCheckpoint: Double
  private var lastEvaluation: [(String, Double)] = []
  private var lastEvaluatedStep: Int?
  /// Averaged weights at the lowest held-out loss; nil where the recipe has no patience, or nothing was measured yet.
  private var best: (evaluation: BestEvaluation, weights: [Weight])?
  /// True while weights are half-way between two steps, and from then on where the update failed.
  private var isUpdating = false

  /// Trains by a recipe into a run's folder; resumes what is there.
  public static func run(recipe: Recipe, folder path: String, options: TrainerOptions = TrainerOptions())
    throws -> TrainingOutcome
  {
    try TorchRuntime.check()
    if recipe.threads > 0 { try TorchRuntime.setThreads(recipe.threads) }
    let device = try recipe.device.resolved()
    let backend = try TorchBackend(device: device)
    StopSignal.install()
    if options.checkOnly {
      let task = try makeTask(recipe, cache: path + "/.audio")
      return try TrainingCheck(recipe: recipe, task: task, backend: backend, style: options.style).run()
    }
    let folder = try RunFolder(path: path, recipe: recipe)
    do {
      let file = folder.latest?.file(found)
      let known = try file.map {
        FileManager.default.fileExists(atPath: $0) ? try CheckpointFiles.read($0) : [:]
      }
      let task = try makeTask(
        recipe, cache: path + "/.audio",
        found: (known ?? [:]).map { Weight(name: $0.key, shape: $0.value.shape, values: $0.value.values) })
      let trainer = try Trainer(
        recipe: recipe, task: task, folder: folder, backend: backend, options: options)
      return try trainer.train()
    } catch {
      folder.removeIfUntouched()
      throw error
    }
  }

  /// Of a checkpoint: ``TrainingTask/found``.
  private static let found = "found.safetensors"

  private static func makeTask(_ recipe: Recipe, cache: String, found: [Weight] = []) throws
    -> any TrainingTask
  {
    switch recipe.subject {
    case .codec(let settings):
      return try CodecTask(
        recipe: recipe, settings: settings, cache: cache,
        from: recipe.from.map { try TrainingStart.codec(at: $0) })
    case .model(let settings):
      let data = try LatentDataset(path: recipe.data.source)
      let codec = try TrainingStart.codec(of: data, recipe: recipe)
      let package = try recipe.from.map { try TrainingStart.model(at: $0, codec: codec) }
      return try ModelTask(
        recipe: recipe, settings: settings, data: data, codec: codec, from: package, found: found)
    case .classifier(let settings):
      return try ClassifierTask(
        recipe: recipe, settings: settings, from: recipe.from.map { try NoteClassifierPackage(path: $0) })
    }
  }

  private init(
    recipe: Recipe, task: any TrainingTask, folder: RunFolder, backend: TorchBackend, options: TrainerOptions
  ) throws {
    self.recipe = recipe
    self.task = task
    self.folder = folder
    self.backend = backend
    schedule = Schedule(recipe)
    let state = folder.latest?.state
    step = state?.step ?? 0
    earlierSeconds = state?.seconds ?? 0
    lastCheckpoint = monotonicSeconds()
    machine = MachineRecord.current(
      torch: try TorchRuntime.versions().loaded, threads: try TorchRuntime.threads(),
      device: "\(backend.device)", precision: recipe.isAutocast(on: backend) ? .bfloat16 : .float32)
    style = options.style
    progress = ProgressLine(recipe.name, total: recipe.steps, unit: "step", style: options.style)
    log = try ProgressLog(path: folder.progressPath, resumingAfter: step)
    board = try TensorBoardWriter(folder: folder.path, resumingAfter: step)

    let o = recipe.optimizer
    // Gains, biases and learned vectors are not decayed: only matrices are.
    let matrices = task.trainable.filter { $0.shape.count >= 2 }
    let others = task.trainable.filter { $0.shape.count < 2 }
    optimizer = try AdamW(
      backend, groups: [.init(matrices, weightDecay: Float(o.weightDecay)), .init(others)],
      beta1: Float(o.betas[0]),
      beta2: Float(o.betas[1]), epsilon: Float(o.eps))
    opponent = try task.adversary.map { adversary in
      // Momentum would carry on an argument that the other side has already answered.
      let optimizer = try AdamW(
        backend, adversary.weights, beta1: 0.5, beta2: 0.9, epsilon: Float(o.eps))
      return (adversary.weights, optimizer, adversary.learningRate)
    }
    if let checkpoint = folder.latest {
      try CheckpointFiles.restore(
        weights: task.trainable, from: checkpoint.file("model.safetensors"), to: backend)
      average = try ExponentialMovingAverage(backend, task.trainable, decay: Float(recipe.ema.decay))
      try average.restore(CheckpointFiles.read(checkpoint.file("average.safetensors")))
      try optimizer.restore(CheckpointFiles.read(checkpoint.file("optimizer.safetensors")))
      if let opponent {
        let file = checkpoint.file("adversary.safetensors")
        if FileManager.default.fileExists(atPath: file) {
          try CheckpointFiles.restore(weights: opponent.weights, from: file, to: backend)
          try opponent.optimizer.restore(
            CheckpointFiles.read(checkpoint.file("adversary-optimizer.safetensors")))
        } else {
          progress.message("note: the checkpoint has no discriminator; a new one begins")
        }
      }
      for difference in machine.differences(from: checkpoint.state.machine) {
        progress.message("note: \(difference); the run goes on, but not bit for bit as it would have")
      }
      if let evaluation = checkpoint.state.best, evaluation.measure == measure {
        best = (
          evaluation,
          try CheckpointFiles.weights(like: task.trainable, from: checkpoint.file("best.safetensors"))
        )
      }
      if let data = checkpoint.state.extra["data"], data != task.dataFingerprint {
        progress.message(
          "note: the data have changed since step \(step); the run goes on with what is there now")
      }
      progress.message("resuming at step \(step)")
    } else {
      average = try ExponentialMovingAverage(backend, task.trainable, decay: Float(recipe.ema.decay))
    }
    for warning in folder.warnings { progress.message("note: \(warning)") }
    for note in task.notes { progress.message("note: \(note)") }
    if let note = recipe.precisionNote(on: backend) { progress.message("note: \(note)") }
    if recipe.evaluate.patience > 0, !task.holdsOut {
      progress.message(
        "note: nothing is held out, so the run cannot tell when it has had enough and goes on to step \(recipe.steps): "
          + "prepare more recordings, or name fewer with --set steps=400")
    }
  }

  // MARK: The loop

  private func train() throws -> TrainingOutcome {
    if step == 0 {
      progress.message(try TrainingEstimate(task: task, recipe: recipe, backend: backend).text)
    }
    let limit = TimeLimit(seconds: recipe.timeLimit)
    var slowestStep = 0.0
    while step < recipe.steps {
      if StopSignal.isRequested { return try finish(.interrupted) }
      if let best, best.evaluation.waited >= recipe.evaluate.patience { return try finish(.noBetter) }
      if limit.isOver(before: slowestStep) { return try finish(.timeLimit) }
      let before = monotonicSeconds()
      do { try advance() } catch TorchError.outOfMemory(let context, let reason) {
        throw try memoryIsFull(context, reason)
      }
      slowestStep = max(slowestStep, monotonicSeconds() - before)
      if recipe.evaluate.everySteps > 0, step % recipe.evaluate.everySteps == 0 { try evaluate() }
      if checkpointIsDue { try saveCheckpoint() }
      if recipe.samples.everySteps > 0, step % recipe.samples.everySteps == 0, step < recipe.steps {
        try sample(of: allWeights(with: average.averaged()), at: step)
      }
    }
    return try finish(.finished)
  }

  private var losses: [String: Double] {
    Dictionary(lastEvaluation.filter { $0.1.isFinite }, uniquingKeysWith: { $1 })
  }
  private var seconds: Double { earlierSeconds + monotonicSeconds() - began }

  private var checkpointIsDue: Bool {
    (recipe.checkpoint.everySteps > 0 && step % recipe.checkpoint.everySteps == 0)
      || (recipe.checkpoint.everyMinutes > 0
        && monotonicSeconds() - lastCheckpoint >= recipe.checkpoint.everyMinutes * 60)
  }

  /// One update.
  private func advance() throws {
    let next = step + 1
    try optimizer.clearGradients()
    var (loss, parts) = try inPrecision { try task.loss(step: next, on: backend) }
    try backend.backward(loss)
    let norm = try backend.clipGradients(
      of: task.trainable, maxNorm: recipe.optimizer.clip > 0 ? Float(recipe.optimizer.clip) : .infinity)
    let value = try backend.item(loss)
    guard value.isFinite, norm.isFinite else {
      throw diverged(
        "the \(value.isFinite ? "gradient" : "loss") became \(value.isFinite ? norm : value) at step \(next)")
    }
    let rate = schedule.learningRate(at: next)
    let answer = try opponentLoss(next)
    isUpdating = true
    try optimizer.step(learningRate: rate)
    if let opponent, let answer {
      try opponent.optimizer.step(
        learningRate: opponent.learningRate * rate / recipe.optimizer.learningRate)
      parts.append(("discriminator", answer))
    }
    // A young average follows quickly, an old one slowly.
    try average.update(decay: min(Float(recipe.ema.decay), Float(1 + next) / Float(10 + next)))
    step = next
    isUpdating = false
    progress.update(step, [("loss", .number(Double(value)))])
    if recipe.log.everySteps > 0, step % recipe.log.everySteps == 0 {
      var values: [(String, Double)] = [
        ("loss", Double(value)), ("learning_rate", rate), ("gradient_norm", Double(norm)),
      ]
      for part in parts { values.append((part.0, Double(try backend.item(part.1)))) }
      values.append(("seconds", seconds))
      try record(values)
    }
  }

  /// The adversary's loss of the same step, with its gradients; nil where it takes no part yet.
  private func opponentLoss(_ next: Int) throws -> Tensor? {
    guard let opponent, let loss = try inPrecision({ try task.adversaryLoss(step: next, on: backend) }) else {
      return nil
    }
    try opponent.optimizer.clearGradients()
    try backend.backward(loss)
    let norm = try backend.clipGradients(of: opponent.weights, maxNorm: 1)
    guard norm.isFinite else { throw diverged("the discriminator's gradient became \(norm) at step \(next)") }
    return loss
  }

  /// A step that does not fit has changed nothing yet, unless it is the update itself that failed.
  private func memoryIsFull(_ context: String, _ reason: String) throws -> TrainingError {
    if !isUpdating { try saveCheckpoint() }
    let goOn =
      folder.latestStep.map { "The run is saved at step \($0), and the same command goes on from there" }
      ?? "Nothing was learnt yet; the same command begins again"
    return TrainingError(
      "the memory of the device \(backend.device) is full at step \(step + 1), in \(context) (\(reason))",
      "\(goOn) with --set batch_size=\(max(1, recipe.batchSize / 2)) instead of \(recipe.batchSize). \(Recipe.hasFastBFloat16(backend) ? "precision: bf16 takes less, too, and so does ending" : "It helps, too, to end") other programs there."
    )
  }

  private func diverged(_ what: String) -> TrainingError {
    let last = folder.latestStep.map { "step \($0)" } ?? "none yet"
    return TrainingError(
      what,
      "The last good checkpoint is \(last), and the run stops there. Lower optimizer.learning_rate\(recipe.isAutocast(on: backend) ? " or use precision: f32" : ""), then run the same command."
    )
  }

  private func inPrecision<Result>(_ body: () throws -> Result) throws -> Result {
    try recipe.inPrecision(on: backend, body)
  }

  private func record(_ values: [(String, Double)]) throws {
    try log.append(
      step: step, Dictionary(values.map { ($0.0, LogValue.number($0.1)) }, uniquingKeysWith: { $1 }))
    for (name, value) in values where name != "seconds" { try board.scalar(name, value, step: step) }
  }

  private func evaluate() throws {
    guard lastEvaluatedStep != step else { return }
    lastEvaluation = try average.withAverage {
      try backend.withoutGradients { try inPrecision { try task.evaluate(on: backend) } }
    }
    lastEvaluatedStep = step
    try backend.check()
    try record(lastEvaluation)
    try keepBest()
    progress.message(
      "step \(step): "
        + lastEvaluation.map { "\($0.0) \(String(format: "%.4f", $0.1))" }.joined(separator: "  "))
  }

  /// What losses that may be compared were measured on; empty where no best weights are kept.
  private var measure: String {
    guard recipe.evaluate.patience > 0, task.holdsOut else { return "" }
    return "\(task.dataFingerprint) \(recipe.evaluate.batches) \(recipe.batchSize)"
  }

  private func keepBest() throws {
    guard !measure.isEmpty, let loss = lastEvaluation.first?.1 else { return }
    if loss < best?.evaluation.loss ?? .infinity {
      let evaluation = BestEvaluation(step: step, loss: loss, losses: losses, measure: measure)
      best = (evaluation, try average.averaged())
    } else {
      best?.evaluation.waited += 1
    }
  }

  private func sample(of weights: [Weight], at step: Int) throws {
    do {
      for file in try task.writeSamples(weights: weights, step: step, to: folder.samplesPath) {
        if let png = file.png, let bytes = FileManager.default.contents(atPath: png) {
          try board.image(file.tag, png: [UInt8](bytes), step: step)
        }
      }
    } catch let error as TrainingError { throw error } catch {
      // A sample that cannot be written must not cost the run.
      progress.message("note: no samples at step \(step): \(error)")
    }
  }

  private func tune(_ package: String) {
    do {
      if let done = try task.tune(package: package, style: style) { progress.message(done) }
    } catch {
      // Too little music to tune to must not cost the run, whose package is written already.
      progress.message("note: the settings of generation were not tuned: \(error)")
    }
  }

  /// All weights of the task, the trained ones with these values.
  private func allWeights(with trained: [Weight]) -> [Weight] {
    let trained = Dictionary(trained.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    return task.weights.map { trained[$0.name] ?? $0 }
  }

  private func saveCheckpoint() throws {
    guard step > 0, folder.latestStep != step else { return }
    let state = RunState(
      step: step, seconds: seconds, machine: machine, extra: ["data": task.dataFingerprint],
      best: best?.evaluation)
    do {
      try folder.saveCheckpoint(state) { path in
        try CheckpointFiles.write(try backend.trained(task.trainable), to: path + "/model.safetensors")
        if !task.found.isEmpty { try CheckpointFiles.write(task.found, to: path + "/\(Self.found)") }
        try CheckpointFiles.write(try average.state(), to: path + "/average.safetensors")
        try CheckpointFiles.write(try optimizer.state(), to: path + "/optimizer.safetensors")
        if let best { try CheckpointFiles.write(best.weights, to: path + "/best.safetensors") }
        if let opponent {
          try CheckpointFiles.write(
            try backend.trained(opponent.weights), to: path + "/adversary.safetensors")
          try CheckpointFiles.write(
            try opponent.optimizer.state(), to: path + "/adversary-optimizer.safetensors")
        }
      }
    } catch let error as CheckpointFiles.NotFinite {
      throw diverged("\(error.name) became NaN or infinite in step \(step)")
    }
    lastCheckpoint = monotonicSeconds()
  }

  /// Writes checkpoint and package; who pressed Ctrl-C does not wait for measurements and samples.
  private func finish(_ end: TrainingOutcome.End) throws -> TrainingOutcome {
    // First, so that a measurement at a step that has none in an unbroken run serves this package alone.
    try saveCheckpoint()
    if step == 0, end == .interrupted {
      progress.finish()
      return TrainingOutcome(end: end, step: step, package: nil, packageStep: step, losses: [:])
    }
    let isWhole = step > 0 && end != .interrupted
    if isWhole { try evaluate() }
    let weights = allWeights(with: try best?.weights ?? average.averaged())
    let losses = best?.evaluation.losses ?? losses
    let package = folder.path + "/package"
    let record = ExportRecord(
      name: recipe.name, steps: best?.evaluation.step ?? step, seconds: seconds,
      hardware:
        "\(machine.processor), \(machine.threads) threads, \(machine.device)\(machine.precision.map { ", \($0)" } ?? "")",
      losses: losses)
    progress.message(
      "writing \(package)"
        + (record.steps == step
          ? "" : ", with the weights of step \(record.steps): their held-out loss is the lowest"))
    try task.export(weights: weights, record: record, to: package)
    progress.finish()
    if isWhole { tune(package) }
    if isWhole, !StopSignal.isRequested { try sample(of: weights, at: record.steps) }
    return TrainingOutcome(end: end, step: step, package: package, packageStep: record.steps, losses: losses)
  }
}

extension RunFolder {
  /// Step of the newest whole checkpoint on disk.
  var latestStep: Int? { (try? checkpoints().last?.step) ?? nil }
}

extension TrainingDevice {
  /// The device that is there.
  func resolved() throws -> TorchDevice {
    switch self {
    case .cpu: return .cpu
    case .automatic: return try .automatic()
    case .cuda(let index):
      let count = try TorchRuntime.cudaDeviceCount()
      guard (index ?? 0) < count else {
        throw TrainingError(
          "device \(self) is asked for, but libtorch finds \(count) CUDA devices",
          "Use device: cpu, or build the plug-in against a CUDA libtorch (TORCH_DIR=… make torch).")
      }
      return .cuda(index ?? 0)
    }
  }
}
