import ArgumentParser
import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTraining

/// `legato generate`: sound from a model package.
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make sound with a model package.",
    discussion: """
      The file is written while the sound is made, in memory that does not grow, so hours are as easy as seconds; \
      past 4 GB it becomes RF64. Ctrl-C ends it with a short fade and leaves a whole file.

        legato generate --duration 5m --seed 7 --output piece.wav
        legato generate --prompt mine.wav --include-prompt --output more.wav
        legato generate --style flute --output flute.wav     (`legato info` lists the styles)
        legato generate --count 4 --output take.wav     (take-1.wav … take-4.wav)
        legato generate --duration endless --output - | ffplay -nodisp -i -
        legato generate --duration endless --output - | aplay

      The same package, settings and seed give the same file at any number of threads.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The model package, a folder. (default: LEGATO_MODEL, or the package that ships with Legato)",
      valueName: "folder"))
  var model: String?

  @Option(
    name: .shortAndLong, help: "Length: 90, 90s, 2.5s, 5m, 1h30m; or endless, to standard output.")
  var duration = GenerationLength.seconds(30)

  @Option(name: .shortAndLong, help: "WAV file to write, or - for a stream to standard output.")
  var output = "out.wav"

  @Option(
    help: ArgumentHelp(
      "A recording to continue, of any usual format, rate and channel count.", valueName: "file"))
  var prompt: String?

  @Flag(help: "Put the prompt before its continuation. --duration is the continuation's.")
  var includePrompt = false

  @OptionGroup var seed: SeedOption

  @OptionGroup var settings: GenerationSettings

  @Option(help: "How many pieces, with the seeds from --seed on.")
  var count = 1

  @Option(help: "How samples are stored: pcm16, pcm24 or float32.")
  var format = WAVWriter.Format.pcm16

  @Option(
    help: ArgumentHelp(
      "Also draw waveform and spectrogram (of at most the first ten minutes).", valueName: "png"))
  var picture: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    if case .seconds(let seconds) = duration, !GenerationLength.range.contains(seconds) {
      throw ValidationError("--duration is \(seconds) seconds; it must be from 0.1 s to 365d, or endless")
    }
    if !(1...100_000).contains(count) {
      throw ValidationError("--count is \(count); it must be from 1 to 100000")
    }
    let streams = output == OutputNames.standardOutput
    if streams, count > 1 { throw ValidationError("--output - takes one piece; leave --count out") }
    if duration == .endless, !streams {
      throw ValidationError("--duration endless needs --output -, since a file has an end")
    }
    if includePrompt, prompt == nil { throw ValidationError("--include-prompt needs --prompt") }
    if output.isEmpty { throw ValidationError("--output is empty") }
    try OutputNames.checkWAV(output)
  }

  func run() throws {
    try OutputNames.checkPipe(output)
    StopSignal.install()
    let folder = try PackageLocation.find(model)
    let package = try ModelPackage(path: folder)
    let codec = package.codec.codec
    let recording = try prompt.map {
      try PromptAudio.read($0, sampleRate: codec.sampleRate, channels: codec.channels)
    }
    let firstSeed = seed.value()
    for index in 1...count {
      let options = try settings.options(seed: firstSeed &+ UInt64(index - 1), package: package)
      let piece = GeneratedPiece(
        path: OutputNames.numbered(output, index, of: count), format: format, seconds: duration.seconds,
        prompt: recording, includesPrompt: includePrompt, keepsStyle: settings.style.isChosen,
        picture: picture.map { OutputNames.numbered($0, index, of: count) },
        progress: reporting.terminalProgress)
      let (report, failure) = try piece.make(package: package, options: options, threads: threads.threads)
      try tell(report)
      if let failure { throw failure }
      if StopSignal.isRequested { break }
    }
    if let code = StopSignal.exitCode { throw ExitCode(code) }
  }

  private func tell(_ report: GenerationReport) throws {
    let streams = output == OutputNames.standardOutput
    let text = reporting.json ? try JSONLine.text(report) : reporting.quiet ? nil : report.text
    guard let text else { return }
    // Standard output may carry the sound.
    if streams { StandardError.write(text + "\n") } else { try StandardOutput.line(text) }
  }
}

extension WAVWriter.Format: ExpressibleByArgument {}
