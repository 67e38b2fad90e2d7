import ArgumentParser
import LegatoTraining

/// `legato sound-font`: a small sound font out of a large one.
struct SoundFont: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sound-font",
    abstract: "Cut a sound font to some instruments.",
    discussion: """
      Keeps the instruments you name with the samples they play, and the licence; they sound exactly as before. For \
      machines that a whole font is too large to be carried to: legato corpus --sound-font takes the result.

        legato sound-font /usr/share/sounds/sf2/FluidR3_GM.sf2 --instrument piano --output FluidR3-piano.sf2

      Keep the beginning of the font's name: corpora say by it which licence their sound has.
      """)

  @Argument(help: ArgumentHelp("A General MIDI sound font.", valueName: "sf2"))
  var font: String

  @Option(
    name: .customLong("instrument"),
    help: ArgumentHelp(
      "An instrument's name, a family (piano, strings, …) or a General MIDI program, 0 to 127. Repeat it for several.",
      valueName: "name"))
  var instruments: [String] = []

  @Option(name: .shortAndLong, help: ArgumentHelp("The cut font.", valueName: "sf2"))
  var output: String

  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    if instruments.isEmpty { throw ValidationError("name at least one --instrument to keep") }
  }

  func run() throws {
    let summary = try cutSoundFont(font, to: output, instruments: instruments)
    if reporting.json { return try StandardOutput.json(SoundFontReport(summary, output: output)) }
    if reporting.quiet { return }
    let megabytes = [summary.bytesBefore, summary.bytesAfter].map { ($0 + 50_000) / 100_000 }
      .map { "\($0 / 10).\($0 % 10) MB" }
    try StandardOutput.line(
      "\(output)  \(megabytes[1]) of \(megabytes[0]), \(summary.samples) samples: \(summary.presets.joined(separator: ", "))"
    )
  }
}

private struct SoundFontReport: Encodable {
  var file: String
  var presets: [String]
  var samples: Int
  var bytes: Int
  var bytes_before: Int

  init(_ summary: SoundFontSummary, output: String) {
    file = output
    presets = summary.presets
    samples = summary.samples
    bytes = summary.bytesAfter
    bytes_before = summary.bytesBefore
  }
}
