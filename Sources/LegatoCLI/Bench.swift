import ArgumentParser
import Foundation
import Legato
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato bench`: how fast this machine generates.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how fast this machine generates.",
    discussion: """
      Times a frame by stage (backbone, sampler, codec), over the positions 0 to 255 of the attention's cache, and compares \
      it with what it takes to read the weights at the speed of this machine's memory. Each time is measured twice: warm, \
      frame after frame, and cold, with the caches emptied before every frame.

        legato bench                                   (the package that ships)
        legato bench --preset cam-150m --weights int8 --steps 1 --threads 1
        legato bench --model runs/mine/package --sessions 8
        legato bench --duration 1h                     (a stream of an hour: time and memory, minute by minute)
        LEGATO_ISA=avx2 legato bench                   (a slower instruction set: scalar, avx2, avx512, avx512-vnni)

      With one session it listens then, as an audio callback would, through rings of several depths: how often music is missing, beside \
      how late a change of options can be heard. A preset has random weights and the codec 'small'. Run it on a machine that does nothing else, \
      or, for the rings, on one that is as busy as yours will be.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The model package, a folder. (default: LEGATO_MODEL, or the package that ships with Legato)",
      valueName: "folder"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Random weights of these sizes instead: \(ContinuousModelConfiguration.presetNames.joined(separator: ", ")).",
      valueName: "name"))
  var preset: String?

  @Option(
    help: "Format of the matrices: f32, bf16, int8 or int4. (default: a package's own; f32 for a preset)")
  var weights: WeightPrecision?

  @Option(help: "Evaluations of the sampler for a latent. (default: the package's, 8 for a preset)")
  var steps: Int?

  @Option(help: "Sessions that play at the same time, their frames made together.")
  var sessions = 1

  @OptionGroup var threads: ThreadsOption

  @Option(help: "Rounds of 256 frames, of which the median counts.")
  var rounds = 3

  @Option(help: "Seconds to listen at each depth of the ring, one session alone; 0 leaves it out.")
  var listen = 2.0

  @Option(
    help: ArgumentHelp(
      "Play this long instead, as fast as it goes, and say what a frame and memory took minute by minute (ten of them; --json has all): 90s, 5m, 1h.",
      valueName: "time"))
  var duration: GenerationLength?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if model != nil, preset != nil { throw ValidationError("--model and --preset exclude each other") }
    if let preset, !ContinuousModelConfiguration.presetNames.contains(preset) {
      throw ValidationError(
        "--preset \(preset) is none of \(ContinuousModelConfiguration.presetNames.joined(separator: ", "))")
    }
    if let steps, !GenerationDefaults.stepCounts.contains(steps) {
      throw ValidationError("--steps is \(steps); it must be from 1 to 1000")
    }
    if !SessionGroup.capacities.contains(sessions) || sessions > 256 {
      throw ValidationError("--sessions is \(sessions); it must be from 1 to 256")
    }
    if !(1...100).contains(rounds) {
      throw ValidationError("--rounds is \(rounds); it must be from 1 to 100")
    }
    if !(0...3600).contains(listen) {
      throw ValidationError("--listen is \(listen); it must be from 0 to 3600 seconds")
    }
    if let duration {
      guard let seconds = duration.seconds, GenerationLength.range.contains(seconds) else {
        throw ValidationError("--duration must be from 0.1 seconds to 365 days")
      }
      if sessions != 1 { throw ValidationError("--duration plays one session; leave out --sessions") }
    }
  }

  func run() throws {
    let package: ModelPackage
    let name: String
    if let preset {
      package = try BenchPackage.random(preset: preset, weights: weights ?? .float32)
      name = preset
    } else {
      let path = try PackageLocation.find(model)
      let loaded = try ModelPackage(path: path)
      package =
        try weights.map { wanted in try loaded.converted { $0.converted(to: wanted.format(of: $0)) } }
        ?? loaded
      name = path
    }
    guard package.configuration.model.sampler.kind != .codes else {
      throw CommandError(
        "\(name): a model of codes is a baseline to be measured (`legato reproduce cam`), and has no bench; choose a package of latents"
      )
    }
    let run = BenchRun(
      package: package, name: name, steps: steps, sessions: sessions, threads: threads.value, rounds: rounds,
      listening: listen)
    if let seconds = duration?.seconds {
      let session = Session(package, options: run.options(seed: 0), threads: threads.value)
      let report = BenchEndurance(session, name: name, seconds: seconds, progress: output.loggedProgress)
      try StandardOutput.line(output.json ? JSONLine.text(report) : report.text)
      return
    }
    let report = try run.report(weights: weights, isPreset: preset != nil)
    try StandardOutput.line(output.json ? JSONLine.text(report) : report.text)
  }
}
