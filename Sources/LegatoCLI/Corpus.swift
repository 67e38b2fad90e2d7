import ArgumentParser
import Foundation
import LegatoTraining

/// `legato corpus`: training music that anyone may use.
struct Corpus: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compose and render a training corpus of free licence.",
    discussion: """
      Composes single-instrument pieces of one to ten minutes and renders them with FluidSynth and a General MIDI \
      sound font. The folder gets audio/*.wav, and manifest.jsonl with labels, a caption and the split of each piece. \
      The same options give the same files; the same command continues what was interrupted; more hours add pieces.

        legato corpus --hours 2 --instrument piano --output data/corpus
        legato corpus --hours 20 --instrument strings --instrument 0 --output mixed

      FluidSynth and a font are needed: apt-get install libfluidsynth3 fluid-soundfont-gm (make test sets both up).
      """)

  @Option(help: "Hours of sound, at least; the last piece is not cut.")
  var hours: Double

  @Option(name: .shortAndLong, help: ArgumentHelp("Folder for the corpus.", valueName: "folder"))
  var output: String

  @Option(
    name: .customLong("instrument"),
    help: ArgumentHelp(
      "An instrument's name, a family (piano, strings, …) or a General MIDI program, 0 to 127. Repeat it for several. (default: all)",
      valueName: "name"))
  var instruments: [String] = []

  @Option(help: "The same seed gives the same pieces.")
  var seed: UInt64 = 1

  @Option(help: "Shortest piece, in minutes, 1 or more.")
  var minimumMinutes = 1.0

  @Option(help: "Longest piece, in minutes, 10 or less.")
  var maximumMinutes = 10.0

  @Option(help: "Hz.")
  var sampleRate = 48_000

  @Option(help: "0 is dry, 1 very wet.")
  var reverb = 0.25

  @Option(
    help: ArgumentHelp(
      "A General MIDI sound font. (default: LEGATO_SOUNDFONT, or where distributions put FluidR3)",
      valueName: "sf2"))
  var soundFont: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    var options = CorpusOptions(hours: hours, output: URL(fileURLWithPath: output))
    options.seed = seed
    options.instruments = instruments
    options.minimumMinutes = minimumMinutes
    options.maximumMinutes = maximumMinutes
    options.sampleRate = sampleRate
    options.reverb = reverb
    options.soundFont = soundFont.map { URL(fileURLWithPath: $0) }
    options.threads = threads.threads ?? min(256, ProcessInfo.processInfo.activeProcessorCount)
    let line = ProgressLine("rendering", total: nil, unit: "piece", style: reporting.progress)
    defer { line.finish() }
    do {
      let summary = try Cancellation.run {
        try renderCorpus(
          options,
          progress: { progress in
            line.update(
              progress.pieces,
              [
                ("hours", .number(progress.hours)), ("of", .number(progress.totalHours)),
                ("latest", .text(progress.rows.last?.instrument ?? "")),
              ])
          }, isCancelled: { StopSignal.isRequested })
      }
      line.finish()
      try tell(summary)
    } catch CorpusError.invalidOption(let problem) {
      throw ValidationError(problem)
    }
  }

  private func tell(_ summary: CorpusSummary) throws {
    if reporting.json { return try StandardOutput.json(CorpusReport(summary)) }
    if reporting.quiet { return }
    func hours(_ value: Double) -> String { String(format: "%.2f h", value) }
    try StandardOutput.line(
      "\(summary.manifest.path)  \(summary.pieces) pieces, \(hours(summary.hours)) (\(summary.rendered) rendered now)"
    )
    let splits = summary.hoursBySplit.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "\($0.key.rawValue) \(hours($0.value))" }
    try StandardOutput.line("splits: \(splits.joined(separator: ", "))")
    if !summary.heldOutInstruments.isEmpty {
      try StandardOutput.line("held-out instruments: \(summary.heldOutInstruments.joined(separator: ", "))")
    }
  }
}

private struct CorpusReport: Encodable {
  var manifest: String
  var pieces: Int
  var rendered: Int
  var hours: Double
  var hours_by_split: [String: Double]
  var held_out_instruments: [String]

  init(_ summary: CorpusSummary) {
    manifest = summary.manifest.path
    pieces = summary.pieces
    rendered = summary.rendered
    hours = summary.hours
    hours_by_split = Dictionary(
      uniqueKeysWithValues: summary.hoursBySplit.map { ($0.key.rawValue, $0.value) })
    held_out_instruments = summary.heldOutInstruments
  }
}
