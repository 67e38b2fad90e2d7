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
      between real recordings as the floor. Give several models, context noises or temperatures: every combination is \
      measured, side by side in one picture and one table. All models must have the codec of the latents.

        legato drift --latents data/latents --duration 5m --count 16 --output out/drift
        legato drift --latents data/latents --context-noise 0 --context-noise 0.25 --output out/drift
        legato drift --latents data/latents --model runs/a/package --model runs/b/package --output out/drift

      Writes OUTPUT.md and OUTPUT.svg.
      """)

  @Option(
    name: .shortAndLong,
    help: "A model package; repeat it for several. (default: LEGATO_MODEL, or the package that ships)")
  var model: [String] = []

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

  @Option(
    help:
      "Standard deviation of the noise that a latent starts from; repeat it for several. (default: the package's)"
  )
  var temperature: [Float] = []

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
    try GenerationDefaults.validate(contextNoise, as: \.contextNoise)
    try GenerationDefaults.validate(temperature, as: \.temperature)
  }

  func run() throws {
    let paths = try model.isEmpty ? [PackageLocation.find(nil)] : model
    let packages = try paths.map { try ModelPackage(path: $0) }
    try OutputNames.checkFolder(of: output + ".md")
    let data = try LatentDataset(path: latents)
    for package in packages { try data.index.check(codecHash: package.codec.hash, folder: latents) }
    func real(_ splits: [RecordingList.Split]) throws -> [LatentSequence] {
      try splits.flatMap { data.pieces($0) }.map {
        LatentSequence(name: $0.id, dimension: data.dimension, values: try data.latents(of: $0))
      }
    }
    let reference = try LatentDriftReference(
      real([.train]), heldOut: real([.validation, .test]), components: min(components, data.dimension))
    let settings = settings(packages)
    let frames = Int(Double(DurationText.seconds(duration) ?? 0) * data.frameRate)
    let progress = ProgressLine(
      "drift", total: settings.count * count, unit: "rollout", style: reporting.terminalProgress)
    var reports: [LatentDriftReport.Named] = []
    for (index, setting) in settings.enumerated() {
      let rollouts = (0..<count).map { number in
        let rollout = rollout(setting, seed: seed + UInt64(number), frames: frames)
        progress.update(index * count + number + 1)
        return rollout
      }
      reports.append(
        (
          name(of: setting, among: settings),
          try LatentDriftReport(
            reference: reference, rollouts: rollouts, frameRate: data.frameRate, binSeconds: bin)
        ))
    }
    progress.finish()
    try write(reports, settings)
  }

  /// One model generating in one way.
  private struct Setting {
    var package: ModelPackage
    var options: GenerationOptions
  }

  private func settings(_ packages: [ModelPackage]) -> [Setting] {
    packages.flatMap { package in
      let defaults = package.configuration.generation
      return (temperature.isEmpty ? [defaults.temperature] : temperature).flatMap { temperature in
        (contextNoise.isEmpty ? [defaults.contextNoise] : contextNoise).map { noise in
          var options = GenerationOptions(defaults: defaults)
          (options.temperature, options.contextNoise) = (temperature, noise)
          return Setting(package: package, options: options)
        }
      }
    }
  }

  /// What tells a setting from the others.
  private func name(of setting: Setting, among all: [Setting]) -> String {
    func differs<Value: Hashable>(_ value: (Setting) -> Value) -> Bool { Set(all.map(value)).count > 1 }
    let name = setting.package.configuration.name
    let sameName = all.contains {
      $0.package.configuration.name == name && $0.package.path != setting.package.path
    }
    var parts = differs { $0.package.path } || all.count == 1 ? [sameName ? setting.package.path : name] : []
    // What follows from the model need not be said beside its name.
    func variesWithinAModel<Value: Hashable>(_ value: (Setting) -> Value) -> Bool {
      Dictionary(grouping: all, by: \.package.path).values.contains { Set($0.map(value)).count > 1 }
    }
    if variesWithinAModel({ $0.options.temperature }) {
      parts.append("temperature \(setting.options.temperature)")
    }
    if variesWithinAModel({ $0.options.contextNoise }) {
      parts.append("context noise \(setting.options.contextNoise)")
    }
    return parts.joined(separator: ", ")
  }

  private func rollout(_ setting: Setting, seed: UInt64, frames: Int) -> LatentSequence {
    var options = setting.options
    options.seed = seed
    let stream = LatentStream(
      model: setting.package.model, engine: CPUEngine(threads: threads.value), options: options)
    var values: [Float] = []
    values.reserveCapacity(frames * stream.dimension)
    for _ in 0..<frames { values += stream.next() }
    return LatentSequence(name: "seed \(seed)", dimension: stream.dimension, values: values)
  }

  private func write(_ reports: [LatentDriftReport.Named], _ settings: [Setting]) throws {
    var names: [String] = []
    for setting in settings where !names.contains(setting.package.configuration.name) {
      names.append(setting.package.configuration.name)
    }
    let title = "Drift of " + names.joined(separator: " and ")
    try LatentDriftReport.chart(reports, title: title).write(to: output + ".svg")
    var text = "# \(title)\n\n\(count) seeds from \(seed) on, \(duration) each.\n\n"
    text += "![distance by position](\((output as NSString).lastPathComponent).svg)\n\n"
    text += LatentDriftReport.comparison(reports)
    for (setting, (name, report)) in zip(settings, reports) {
      let options = setting.options
      text += "\n## \(name)\n\nTemperature \(options.temperature), context noise \(options.contextNoise), "
      text += "\(options.steps) steps. \(report.markdown)"
    }
    try DurableFile.write(Array(text.utf8), to: output + ".md")
    if reporting.json {
      for (name, report) in reports { try StandardOutput.json(NamedReport(name: name, report: report)) }
    } else if !reporting.quiet {
      try StandardOutput.line("\(output).md\n\(output).svg")
    }
  }

  private struct NamedReport: Encodable {
    var name: String
    var report: LatentDriftReport
  }
}
