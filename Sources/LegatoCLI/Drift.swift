import ArgumentParser
import Foundation
import Legato
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato drift`: how far generated latents are from real ones, by position.
struct Drift: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure whether long generations drift away from real music.",
    discussion: """
      Generates latents from many seeds and compares them, bin by bin of their position, with prepared latents of real \
      recordings: Fréchet distance on the first principal components, spread over the seeds, and the same distance \
      between real recordings as the floor. Several settings of context noise stand in one picture.

        legato drift --latents data/latents --duration 5m --count 16 --output Documentation/drift
        legato drift --latents data/latents --context-noise 0 --context-noise 0.25 --output out/drift

      Writes OUTPUT.md and OUTPUT.svg.
      """)

  @Option(name: .shortAndLong, help: "A model package. (default: LEGATO_MODEL, or the package that ships)")
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Latents of real recordings, made by `legato prepare` with the package's codec.", valueName: "folder"))
  var latents: String

  @Option(name: .shortAndLong, help: "Length of each generation, such as 90s or 5m.")
  var duration = "5m"

  @Option(help: "How many seeds, from --seed on.")
  var count = 16

  @Option(help: "The first seed.")
  var seed: UInt64 = 1

  @Option(help: "Length of a bin in seconds.")
  var bin = 30.0

  @Option(help: "Principal components that are compared.")
  var components = 16

  @Option(
    help:
      "Share of noise mixed into a latent before it is fed back; repeat it for several. (default: the package's)"
  )
  var contextNoise: [Float] = []

  @Option(help: "Standard deviation of the noise that a latent starts from. (default: the package's)")
  var temperature: Float?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Files to write, without their endings.", valueName: "path"))
  var output: String

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard let seconds = DurationText.seconds(duration), (1...86_400).contains(seconds) else {
      throw ValidationError("--duration is '\(duration)'; write a time such as 90s or 5m, at most a day")
    }
    guard (1...10_000).contains(count) else {
      throw ValidationError("--count is \(count); it must be from 1 to 10000")
    }
    guard bin >= 1, bin <= Double(seconds) else {
      throw ValidationError("--bin is \(bin); it must be from 1 second to the duration")
    }
    guard (1...1024).contains(components) else {
      throw ValidationError("--components is \(components); it must be from 1 to 1024")
    }
    var defaults = GenerationDefaults()
    for noise in contextNoise {
      defaults.contextNoise = noise
      if let problem = defaults.problem { throw ValidationError(problem) }
    }
    defaults.temperature = temperature ?? defaults.temperature
    if let problem = defaults.problem { throw ValidationError(problem) }
  }

  func run() throws {
    let package = try ModelPackage(path: PackageLocation.find(model))
    try OutputNames.checkFolder(of: output + ".md")
    let data = try LatentDataset(path: latents, codecHash: package.codec.hash)
    func real(_ splits: [RecordingList.Split]) throws -> [LatentSequence] {
      try splits.flatMap { data.pieces($0) }.map {
        LatentSequence(name: $0.id, dimension: data.dimension, values: try data.latents(of: $0))
      }
    }
    let (reference, heldOut) = (try real([.train]), try real([.validation, .test]))
    let noises = contextNoise.isEmpty ? [package.configuration.generation.contextNoise] : contextNoise
    let frames = Int(Double(DurationText.seconds(duration) ?? 0) * data.frameRate)
    let progress = ProgressLine(
      "drift", total: noises.count * count, unit: "rollout", style: reporting.terminalProgress)
    var (text, series): (String, [Chart.Series]) = ("", [])
    for (index, noise) in noises.enumerated() {
      let rollouts = (0..<count).map { number in
        let rollout = self.rollout(package, seed: seed + UInt64(number), noise: noise, frames: frames)
        progress.update(index * count + number + 1)
        return rollout
      }
      let report = try LatentDriftReport(
        reference: reference, heldOut: heldOut, rollouts: rollouts, frameRate: data.frameRate,
        binSeconds: bin,
        components: min(components, data.dimension))
      text += "## Context noise \(noise)\n\n\(report.markdown)\n"
      series.append(Self.series("context noise \(noise)", report))
      if index == noises.count - 1, let floor = report.rolloutFloor {
        let x = report.bins.map { ($0.start + $0.end) / 2 }
        series.append(.init("real music", x: x, y: x.map { _ in floor }, isDashed: true))
      }
    }
    progress.finish()
    var chart = Chart(
      title: "\(package.configuration.name): distance to real music by position",
      xLabel: "seconds from the start",
      yLabel: "Fréchet distance of one rollout's latents", series: series)
    chart.yRange = 0...max(1, series.flatMap { $0.band?.upper ?? $0.y }.max() ?? 1)
    try chart.write(to: output + ".svg")
    let head =
      "# Drift of \(package.configuration.name)\n\n\(count) seeds from \(seed) on, \(duration) each, temperature "
      + "\(temperature ?? package.configuration.generation.temperature), \(package.configuration.generation.steps) steps.\n\n"
      + "![distance by position](\((output as NSString).lastPathComponent).svg)\n\n"
    try (head + text).write(toFile: output + ".md", atomically: true, encoding: .utf8)
    if !reporting.quiet { StandardOutput.line("\(output).md\n\(output).svg") }
  }

  private func rollout(_ package: ModelPackage, seed: UInt64, noise: Float, frames: Int) -> LatentSequence {
    var options = GenerationOptions(seed: seed, defaults: package.configuration.generation)
    options.contextNoise = noise
    options.temperature = temperature ?? options.temperature
    let stream = LatentStream(
      model: package.model, engine: CPUEngine(threads: threads.value), options: options)
    var values: [Float] = []
    values.reserveCapacity(frames * stream.dimension)
    for _ in 0..<frames { values += stream.next() }
    return LatentSequence(name: "seed \(seed)", dimension: stream.dimension, values: values)
  }

  private static func series(_ name: String, _ report: LatentDriftReport) -> Chart.Series {
    let bins = report.bins.filter { $0.rolloutMean != nil }
    let means = bins.compactMap(\.rolloutMean)
    let spread = bins.map { $0.rolloutDeviation ?? 0 }
    return .init(
      name, x: bins.map { ($0.start + $0.end) / 2 }, y: means,
      band: (zip(means, spread).map { max(0, $0 - $1) }, zip(means, spread).map { $0 + $1 }))
  }
}
