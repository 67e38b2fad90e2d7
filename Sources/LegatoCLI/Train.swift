import ArgumentParser
import Foundation
import LegatoTraining

/// `legato train`: a codec, a model or a classifier from a recipe.
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a codec, a model or a classifier by a recipe.",
    discussion: """
      The run's folder holds the resolved recipe, progress.jsonl and TensorBoard events, checkpoints, samples with \
      pictures, and at the end package/, which `legato generate --model` takes. The same command goes on from the \
      last checkpoint, however the run ended. Ctrl-C, or the end of --time-limit, writes a checkpoint and the package, \
      and stops.

        legato train Recipes/finetune-model.yaml --from Models/legato-first
        legato train Recipes/small-model.yaml --check
        legato train Recipes/small-codec.yaml --time-limit 2h --output runs/codec
        legato train Recipes/small-codec.yaml --set data.corpus=my/recordings

      Recipes/style.yaml adds a style to a package: it holds the music to one kind, and leaves the model as it is.

      Fine-tuning existing weights with --from is much sooner good than training anew.

      libtorch is needed: make torch sets it up. Recipes are in Recipes/, each key explained there.
      """)

  @Argument(help: ArgumentHelp("The recipe, a YAML file.", valueName: "recipe.yaml"))
  var recipe: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The run's folder, new or to go on with. (default: runs/ and the recipe's name)", valueName: "folder"))
  var output: String?

  @Option(help: ArgumentHelp("Start from the weights of this package.", valueName: "package"))
  var from: String?

  @OptionGroup var timeLimit: TimeLimitOption

  @Flag(help: "Only overfit one batch, and say what is wrong if that fails.")
  var check = false

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Change a value of the recipe, such as optimizer.learning_rate=1e-4. Repeat it for several.",
      valueName: "key=value"))
  var settings: [String] = []

  @Option(help: "auto, cpu, cuda or cuda:1. (default: the recipe's)")
  var device: String?

  @Option(help: "Changes data order and noise. (default: the recipe's)")
  var seed: UInt64?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    if let device, TrainingDevice(device) == nil {
      throw ValidationError("--device is '\(device)'; it must be auto, cpu, cuda or cuda:N")
    }
  }

  /// Options are settings of the recipe by another name, so that the resolved recipe tells the whole run.
  private var allSettings: [String] {
    var all = settings
    if let from { all.append("from=\(from)") }
    if let limit = timeLimit.timeLimit { all.append("time_limit=\(limit)") }
    if let device { all.append("device=\(device)") }
    if let seed { all.append("seed=\(seed)") }
    if let threads = threads.threads { all.append("threads=\(threads)") }
    return all
  }

  func run() throws {
    let recipe = try Recipe(path: recipe, settings: allSettings)
    let folder = output ?? "runs/\(recipe.name)"
    var options = TrainerOptions()
    options.style = reporting.progress
    options.checkOnly = check
    let outcome = try Trainer.run(recipe: recipe, folder: folder, options: options)
    try tell(outcome, of: recipe, folder: folder)
    if outcome.end == .interrupted, let code = StopSignal.exitCode { throw ExitCode(code) }
  }

  private func tell(_ outcome: TrainingOutcome, of recipe: Recipe, folder: String) throws {
    if reporting.json {
      return try StandardOutput.json(TrainingReport(outcome, folder: folder))
    }
    if reporting.quiet || check { return }
    switch outcome.end {
    case .interrupted:
      try StandardOutput.line(
        "\(folder): stopped at step \(outcome.step); the same command goes on from there")
    case .timeLimit:
      try StandardOutput.line(
        "\(folder): time is up at step \(outcome.step); the same command goes on from there")
    case .finished: try StandardOutput.line("\(folder): finished at step \(outcome.step)")
    case .noBetter:
      try StandardOutput.line(
        "\(folder): had enough at step \(outcome.step): the held-out loss was lowest at step \(outcome.packageStep)"
      )
    }
    let gibibytes = Double(MemoryUse.peak) / 1_073_741_824
    try StandardOutput.line(
      "memory   \(String(format: "%.2f", gibibytes)) GiB at most, libtorch and mapped files included")
    guard let package = outcome.package else { return }
    try StandardOutput.line("package  \(package)")
    try StandardOutput.line("look     legato info \(package)")
    if FileManager.default.fileExists(atPath: package + "/model.safetensors") {
      var style = ""
      if case .model(let settings) = recipe.subject, let name = settings.style?.name {
        style = " --style \(name)"
      }
      try StandardOutput.line("hear     legato generate --model \(package)\(style) --output out.wav")
    }
  }
}

private struct TrainingReport: Encodable {
  var folder: String
  var end: String
  var step: Int
  var package: String?
  /// Whose weights the package has.
  var packageStep: Int
  var losses: [String: Double]
  var peakMemoryBytes = MemoryUse.peak

  enum CodingKeys: String, CodingKey {
    case folder, end, step, package, losses
    case packageStep = "package_step"
    case peakMemoryBytes = "peak_memory_bytes"
  }

  init(_ outcome: TrainingOutcome, folder: String) {
    self.folder = folder
    end = outcome.end.rawValue
    step = outcome.step
    package = outcome.package
    packageStep = outcome.packageStep
    losses = outcome.losses.filter(\.value.isFinite)
  }
}
