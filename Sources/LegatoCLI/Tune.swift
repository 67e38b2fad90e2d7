import ArgumentParser
import Foundation
import Legato
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato tune`: the settings of generation that suit a package's weights.
struct Tune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the temperature, context noise and feedback gain that suit a package.",
    discussion: """
      They belong to a training: what suits one set of weights lets the next fade, drone or run wild. Makes some streams for each \
      of a few settings and measures them against real music, given as prepared latents: Fréchet distance of log-mel patches, \
      and how many stretches lie outside of what 90 % of real ones have in level, centroid, onsets, pitch and change. What is found is \
      compared with the old settings on other seeds, and written into the package where it wins there, too.

        legato tune --model runs/mine/package --latents data/latents
        legato tune --model runs/mine/package --latents data/latents --dry-run
        legato tune --model runs/mine/package --latents data/latents --style cello --pieces instrument=cello

      Takes some minutes on two cores. Training does it by itself where the recipe says `model.generation.tune: true`, as \
      Recipes/finetune-model.yaml does.
      """)

  @Option(name: .shortAndLong, help: ArgumentHelp("A model package.", valueName: "package"))
  var model: String

  @Option(
    help: ArgumentHelp(
      "Latents of real music, made by `legato prepare` with the package's codec: what it was trained on will do.",
      valueName: "folder"))
  var latents: String

  @Option(
    help: ArgumentHelp(
      "Tune one style of the package: what is found becomes its factors of the package's settings.",
      valueName: "name"))
  var style: String?

  @Option(
    help: ArgumentHelp(
      "Only latents of pieces with this label, such as instrument=cello: what the style is to play.",
      valueName: "label=value"))
  var pieces: StyleRecipe.Label?

  @Option(help: "Streams of each setting.")
  var count = 8

  @Option(name: .shortAndLong, help: "Length of each stream, such as 60s or 2m.")
  var duration = "60s"

  @Option(help: "Settings to try, at most.")
  var trials = 20

  @Option(help: "The first stream's seed.")
  var seed: UInt64 = 1000

  @Flag(help: "Leave the package as it is, and only say what was found.")
  var dryRun = false

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard let seconds = DurationText.seconds(duration), (8...86_400).contains(seconds) else {
      throw ValidationError(
        "--duration is '\(duration)'; write a time such as 60s or 2m, from 8 seconds to a day")
    }
    guard (2...1000).contains(count) else {
      throw ValidationError("--count is \(count); it must be from 2 to 1000")
    }
    guard (2...1000).contains(trials) else {
      throw ValidationError("--trials is \(trials); it must be from 2 to 1000")
    }
  }

  func run() throws {
    StopSignal.install()
    let package = try ModelPackage(path: model)
    let data = try ModelTask.pieces(of: LatentDataset(path: latents), with: pieces).own
    var tuner = SettingsTuner(package: package, data: data, threads: threads.value)
    if let style {
      var option = StyleOption()
      option.style = .named(style)
      tuner.playedStyle = try option.options(seed: 0, package: package).style
    }
    (tuner.count, tuner.trials, tuner.seed) = (count, trials, seed)
    tuner.seconds = Double(DurationText.seconds(duration) ?? 60)
    tuner.style = reporting.loggedProgress
    if !dryRun { try OutputNames.checkFolder(of: model + (style == nil ? "/config.json" : "/styles/style")) }
    guard let outcome = try tuner.run() else {
      if !reporting.quiet { StandardError.write("stopped; \(model) is as it was\n") }
      throw ExitCode(StopSignal.exitCode ?? 130)
    }
    var written: String?
    if outcome.isBetter, !dryRun {
      if let style = tuner.style(with: outcome.settings) {
        try package.write(style: style)
        written = "the style \(style.name) of \(model): \(style.factors.text)"
      } else {
        try package.write(generation: outcome.settings)
        written = model + "/config.json"
      }
    }
    if reporting.json {
      try StandardOutput.json(outcome)
    } else if !reporting.quiet {
      try tell(outcome, written: written)
    }
  }

  private func tell(_ outcome: SettingsTuner.Outcome, written: String?) throws {
    try StandardOutput.line("before   \(outcome.before.text)")
    guard outcome.before != outcome.after else {
      return try StandardOutput.line("nothing better was found; \(model) is as it was")
    }
    try StandardOutput.line("found    \(outcome.after.text)")
    if let written {
      try StandardOutput.line("written  \(written)")
    } else {
      try StandardOutput.line(
        outcome.isBetter
          ? "\(model) is as it was (--dry-run)" : "on other seeds it is no better; \(model) is as it was")
    }
  }
}

extension StyleRecipe.Label: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
