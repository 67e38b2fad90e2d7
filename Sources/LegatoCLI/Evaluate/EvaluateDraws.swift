import ArgumentParser
import Foundation
import Legato
import LegatoEvaluation
import LegatoModels
import LegatoTraining

/// `legato evaluate draws`: what a model draws after a real past, beside what came.
struct EvaluateDraws: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "draws",
    abstract: "Measure how a model draws the next latent after a real past.",
    discussion: """
      Lets models draw several times after the beginnings of pieces that training has not seen, and compares with what came: \
      the energy score (a proper score; lower is better, and flows, diffusions and mixtures can be compared, as their losses \
      cannot), how loud draws are beside the data, and their spread: 1 where draws of one past vary as much as they err, less \
      where they vary too little or are wrong in their mean. The past is read without a feedback gain, and without a style.

        legato evaluate draws --latents data/latents
        legato evaluate draws --latents data/latents --model runs/a/package --model runs/b/package --temperature 1 --temperature 1.05
      """)

  @OptionGroup var models: ModelsOption

  @Option(
    help: ArgumentHelp(
      "Latents of recordings, made by `legato prepare` with the package's codec.", valueName: "folder"))
  var latents: String

  @Option(
    help:
      "Take pieces of this split: train, validation or test; repeat it for several. (default: validation and test)"
  )
  var split: [RecordingList.Split] = []

  @OptionGroup var variants: SettingVariants

  @Option(help: "Pieces to measure on, at most.")
  var count = 64

  @Option(help: "Draws after each past.")
  var draws = 8

  @Option(help: "The seed of all draws.")
  var seed: UInt64 = 1

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  /// Positions from one that is drawn to the next: near ones know nearly the same.
  private static let every = 16

  func validate() throws {
    guard (1...100_000).contains(count) else {
      throw ValidationError("--count is \(count); it must be from 1 to 100000")
    }
    guard (2...1000).contains(draws) else {
      throw ValidationError("--draws is \(draws); it must be from 2 to 1000")
    }
  }

  private struct Result: Encodable {
    var model: String
    var temperature, contextNoise: Float
    /// Nil where the sampler has none.
    var steps: Int?
    var draws: OneStepDraws

    enum CodingKeys: String, CodingKey {
      case model, temperature, steps, draws
      case contextNoise = "context_noise"
    }
  }

  func run() throws {
    StopSignal.install()
    let named =
      try models.model.isEmpty
      ? [("", PackageLocation.find(nil))] : LabelledPath.all(models.model).map { ($0.label, $0.path) }
    for (label, path) in named {
      let package = try ModelPackage(path: path)
      guard package.model.sampler.codes == nil else {
        throw CommandError(
          "\(path): it draws codes, and a model of codes cannot continue a recording; leave it out")
      }
      let data = try LatentDataset(path: latents, codecHash: package.codec.hash)
      let clips = try clips(data, window: package.configuration.model.backbone.window)
      for options in combinations(of: package) {
        let progress = SharedProgress(
          "draw", total: Double(clips.count), unit: "piece", style: reporting.terminalProgress)
        defer { progress.finish() }
        let found: OneStepDraws?
        do {
          found = try OneStepDraws(
            of: package.model, options: options, clips: clips, draws: draws, every: Self.every,
            threads: threads.value, done: { _ in progress.add(1) },
            check: { if let code = StopSignal.exitCode { throw ExitCode(code) } })
        } catch let error as GenerationError {
          throw CommandError("\(path), \(latents): \(error)")
        }
        guard let found else {
          throw CommandError("\(path): four of its windows hold no \(Self.every) latents to draw after")
        }
        let result = Result(
          model: label.isEmpty ? package.configuration.name : label, temperature: options.temperature,
          contextNoise: options.contextNoise,
          steps: package.configuration.model.sampler.kind.hasSteps ? options.steps : nil, draws: found)
        if reporting.json {
          try StandardOutput.json(result)
        } else {
          try StandardOutput.line(Self.text(result))
        }
      }
    }
  }

  private func combinations(of package: ModelPackage) -> [GenerationOptions] {
    variants.all(of: package).map {
      var options = GenerationOptions(seed: seed, defaults: $0)
      // A gain makes up for what draws lack, and a style stands for an instrument; neither is a real past's.
      (options.feedbackGain, options.style) = (1, nil)
      return options
    }
  }

  /// Beginnings of pieces, of four windows where they are as long.
  private func clips(_ data: LatentDataset, window: Int) throws -> [[Float]] {
    let splits = split.isEmpty ? [RecordingList.Split.validation, .test] : split
    let held = RecordingList.Split.allCases.filter(splits.contains).flatMap { data.pieces($0) }
    let long = held.filter { $0.frames > Self.every }
    guard !long.isEmpty else {
      throw CommandError(
        "\(latents): no \(splits.map(\.rawValue).joined(separator: " or ")) piece holds more than \(Self.every) latents. Prepare more or longer recordings, or name another --split"
      )
    }
    // Of all splits and pieces, where there are more than are asked for.
    return try (0..<min(count, long.count)).map {
      let piece = long[$0 * long.count / min(count, long.count)]
      return try data.crop(piece: piece, start: 0, count: min(piece.frames, 4 * window))
    }
  }

  private static func text(_ result: Result) -> String {
    let found = result.draws
    return
      "\(result.model), temperature \(result.temperature), context noise \(result.contextNoise)\(result.steps.map { ", \($0) \($0 == 1 ? "step" : "steps")" } ?? ""): energy score "
      + "\(found.energyScore.text); power \(found.power.text) of the data's; spread \(found.spread?.text ?? "too wide for so few draws"); "
      + "\(found.pieces) pieces, \(found.positions) positions, \(found.draws) draws of each"
      + (found.recoveries > 0 ? "; \(found.recoveries) taken again, since they were beyond all music" : "")
  }
}
