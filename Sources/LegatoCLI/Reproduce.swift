import ArgumentParser
import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato reproduce`: the experiments of the papers, again.
struct Reproduce: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Repeat the experiments of the papers.", subcommands: [ReproduceCAM.self])
}

/// `legato reproduce cam`: CAM against its baselines.
struct ReproduceCAM: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cam",
    abstract: "Train CAM and its baselines and compare how they play.",
    discussion: """
      Renders a corpus (or takes the one that is there), trains every row, finds each one's best temperature and context noise, lets \
      it play several times as long as what training sees at once, and compares that with music no training saw.

        legato reproduce cam --scale toy
        legato reproduce cam --scale small --time-limit 2h
        legato reproduce cam --scale small --rows cam,plain

      A row that is finished is kept and not done again, unless its recipe, its data or what is measured changes; one that is stopped \
      goes on where it was. So the same command, typed again, gets farther. `toy` takes minutes and shows only that everything runs; \
      `small` takes two cores 12 minutes for a row of the usual kind where they compute in bf16 (AVX-512 BF16 or AMX), 25 to 30 where not, \
      and up to twice that for mar, rf and one-step; `large` has the published size and number of updates. The same command side by \
      side, in two terminals and each with --threads 1, trains 1.4 times as many rows of `small` in an hour as one with two threads: \
      neither takes a row that the other is at work on.

      With --results, what finished rows came to lies in a folder that can be kept when the rest is lost, and copied to another machine: \
      there the music is made again, and no row that is in it.
      """)

  @Option(help: "toy, small or large.")
  var scale = CAMExperiment.Scale.small

  @Option(
    help: ArgumentHelp(
      "Make only these, separated by commas: \(CAMExperiment.rows.map(\.name).joined(separator: ", ")). (default: all)",
      valueName: "names"))
  var rows: String?

  @OptionGroup var timeLimit: TimeLimitOption

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Holds everything that is made. (default: reproductions/cam-SCALE)", valueName: "folder"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Holds what finished rows came to, one file each. (default: OUTPUT/rows)", valueName: "folder"))
  var results: String?

  @Option(
    help: ArgumentHelp("The page; its plot lies beside it. (default: OUTPUT/cam.md)", valueName: "file.md"))
  var report: String?

  @Option(
    help: ArgumentHelp(
      "A codec package, or a model package that holds one. (default: the one that ships)", valueName: "folder"
    ))
  var codec: String?

  @Option(
    help: ArgumentHelp(
      "A General MIDI sound font. (default: LEGATO_SOUNDFONT, or FluidR3)", valueName: "file.sf2"))
  var soundFont: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    if let report, !report.hasSuffix(".md") {
      throw ValidationError("--report is '\(report)'; it must end with .md")
    }
    guard rows == nil || !names.isEmpty else {
      throw ValidationError("--rows names no row; leave it out for all")
    }
  }

  private var names: [String] {
    (rows ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }

  func run() throws {
    let folder = output ?? "reproductions/cam-\(scale.rawValue)"
    let page = report ?? folder + "/cam.md"
    if report != nil { try OutputNames.checkFolder(of: page) }
    let experiment = CAMExperiment(scale)
    var work = CAMReproduction(experiment, folder: folder, codec: try PackageLocation.findCodec(codec))
    work.rows = names
    if let results { work.results = results }
    work.threads = threads.threads ?? work.threads
    work.timeLimit = timeLimit.seconds
    work.soundFont = soundFont
    work.style = reporting.progress
    if !reporting.quiet { work.tell = { StandardError.write($0 + "\n") } }
    let outcome = try Cancellation.run { try work.run() }
    let text = CAMReport(experiment, outcome)
    let picture = String(page.dropLast(3)) + ".svg"
    if !outcome.results.isEmpty { try text.picture.write(to: picture) }
    try DurableFile.write(
      Array(text.markdown(picture: (picture as NSString).lastPathComponent).utf8), to: page)
    if reporting.json {
      for result in outcome.results { try StandardOutput.json(result) }
    } else if !reporting.quiet {
      for result in outcome.results { try StandardOutput.line(Self.line(result)) }
      if !outcome.missing.isEmpty {
        try StandardOutput.line(
          "still to be done by the same command: \(outcome.missing.joined(separator: "; "))")
      }
      try StandardOutput.line(page)
    }
    if let code = StopSignal.exitCode { throw ExitCode(code) }
    if !outcome.failures.isEmpty {
      throw CommandError(
        "\(outcome.failures.count) row\(outcome.failures.count == 1 ? "" : "s") failed: \(outcome.failures.joined(separator: "; "))"
      )
    }
  }

  private static func line(_ result: CAMResult) -> String {
    func number(_ value: Estimate?) -> String { value.map { Estimate.digits($0.value) } ?? "-" }
    let streams = CAMExperiment.rows.first { $0.name == result.row }?.streams ?? true
    let distance =
      streams
      ? "\(number(result.first)) at first, \(number(result.last)) at last"
      : "\(number(result.average)) on average"
    return "\(result.row), seed \(result.seed): distance \(distance); \(result.settings.summary)"
  }
}

extension CAMExperiment.Scale: ExpressibleByArgument {}
