import ArgumentParser
import Foundation
import LegatoAudio
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato evaluate loss`: the loss of a model on recordings that it never trained on, by position.
struct EvaluateLoss: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loss",
    abstract: "Measure a model's loss on held-out recordings, by position.",
    discussion: """
      Reads the beginnings of the validation and test pieces of prepared latents and gives the model's loss (mean \
      squared error of a flow's velocity or a diffusion's noise; nats a dimension of a mixture, nats a code of codes) at each position: with a clean context, and with the context noise that the \
      package generates with. A loss that jumps where a piece's first latents leave the attention window says that the \
      model would collapse there; the step is printed with its standard error.

        legato evaluate loss --latents data/latents
        legato evaluate loss --latents data/latents --model runs/mine/package --picture loss.svg
      """)

  @Option(name: .shortAndLong, help: "A model package. (default: LEGATO_MODEL, or the package that ships)")
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Latents of recordings, made by `legato prepare` with the package's codec.", valueName: "folder"))
  var latents: String

  @Option(help: "Beginnings of pieces to measure on, at most: one of each held-out piece.")
  var count = 64

  @Option(help: "Latents of each beginning. (default: four windows of the model)")
  var positions: Int?

  @Option(
    help: "Share of noise mixed into the context; repeat it for several. (default: 0 and the package's)")
  var contextNoise: [Float] = []

  @Option(help: ArgumentHelp("A chart of the loss by position, .svg or .png.", valueName: "file"))
  var picture: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (1...100_000).contains(count) else {
      throw ValidationError("--count is \(count); it must be from 1 to 100000")
    }
    if let positions, !(2...65_536).contains(positions) {
      throw ValidationError("--positions is \(positions); it must be from 2 to 65536")
    }
    try GenerationDefaults.validate(contextNoise, as: \.contextNoise)
  }

  func run() throws {
    let package = try ModelPackage(path: PackageLocation.find(model))
    if let picture { try OutputNames.checkFolder(of: picture) }
    let data = try LatentDataset(path: latents, codecHash: package.codec.hash)
    let window = package.configuration.model.backbone.window
    let length = positions ?? 4 * window
    guard length > window + window / 4 else {
      throw ValidationError(
        "--positions is \(length); it must be more than \(window + window / 4), one window and a quarter")
    }
    let clips = try clips(data, length: length)
    let isOfCodes = package.configuration.model.sampler.kind == .codes
    guard contextNoise.isEmpty || !isOfCodes else {
      throw CommandError("\(package.path): codes are read without noise; leave --context-noise out")
    }
    let own = package.configuration.generation.contextNoise
    let noises = contextNoise.isEmpty ? (own > 0 && !isOfCodes ? [0, own] : [0]) : contextNoise
    let progress = ProgressLine(
      "evaluate", total: noises.count * clips.count, unit: "clip", style: reporting.terminalProgress)
    let engine = CPUEngine(threads: threads.value)
    let results = noises.enumerated().map { index, noise in
      Result(
        context_noise: noise,
        loss: LossByPosition(
          of: package.model, on: clips, contextNoise: noise,
          noiseLaw: package.configuration.generation.noiseLaw, engine: engine
        ) {
          progress.update(index * clips.count + $0)
        })
    }
    progress.finish()
    for result in results {
      if reporting.json { try StandardOutput.json(result) } else { try StandardOutput.line(result.text) }
    }
    if let picture {
      try chart(results, name: package.configuration.name, rate: data.frameRate).write(to: picture)
    }
  }

  private func clips(_ data: LatentDataset, length: Int) throws -> [[Float]] {
    let held = [RecordingList.Split.validation, .test].flatMap { data.pieces($0) }
    let long = held.filter { $0.frames >= length }
    guard !long.isEmpty else {
      let longest = held.map(\.frames).max().map { "the longest has \($0)" } ?? "there are none"
      throw CommandError(
        "\(latents): no validation or test piece holds \(length) latents (\(longest)). Prepare more or longer "
          + "recordings, or give fewer --positions")
    }
    return try long.prefix(count).map { try data.crop(piece: $0, start: 0, count: length) }
  }

  private struct Result: Encodable {
    var context_noise: Float
    var loss: LossByPosition

    var text: String {
      func number(_ value: Double) -> String { String(format: "%.4f", value) }
      return "context noise \(context_noise)  loss \(number(loss.mean)) over \(loss.clips) clips; "
        + "step where the start leaves the window, at \(loss.window): \(number(loss.step))"
        + (loss.stepError.map { " ± \(number($0))" } ?? "")
    }
  }

  /// Means of an eighth of a window, so that the line can be read.
  private func chart(_ results: [Result], name: String, rate: Double) -> Chart {
    let window = results[0].loss.window
    let width = max(1, window / 8)
    var series = results.map { result in
      let starts = Array(stride(from: 0, to: result.loss.positions.count - width + 1, by: width))
      return Chart.Series(
        "context noise \(result.context_noise)", x: starts.map { Double($0) + Double(width) / 2 },
        y: starts.map { result.loss.positions[$0..<$0 + width].reduce(0, +) / Double(width) })
    }
    let values = series.flatMap(\.y)
    // A mixture's loss, a density's logarithm, may be below 0.
    let (lowest, highest) = (min(0, values.min() ?? 0) * 1.1, max(0, values.max() ?? 1) * 1.1)
    series.append(
      .init(
        "the start leaves the window", x: [Double(window), Double(window)], y: [lowest, highest],
        isDashed: true))
    var chart = Chart(
      title: "\(name): loss on held-out beginnings by position",
      xLabel: "latents from the start (\(String(format: "%g", rate)) a second)",
      yLabel: "loss", series: series)
    if lowest < highest { chart.yRange = lowest...highest }
    return chart
  }
}
