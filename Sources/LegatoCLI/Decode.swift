import ArgumentParser
import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTraining

/// `legato decode`: latents to sound.
struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn latents back into sound.",
    discussion: """
      Reads what `legato encode` wrote, with the codec that made it.

        legato decode song.safetensors --output song-through-codec.wav --picture song.png
        legato decode song.safetensors --output - | ffplay -nodisp -autoexit -i -
      """)

  @Argument(help: ArgumentHelp("The latents, a safetensors file.", valueName: "file"))
  var input: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "WAV file to write, or - for standard output. (default: the latents' name, .wav)", valueName: "file"))
  var output: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The codec package, or a model package that holds it. (default: LEGATO_MODEL, or the package that ships)",
      valueName: "folder"))
  var codec: String?

  @Option(help: "How samples are stored: pcm16, pcm24 or float32.")
  var format = WAVWriter.Format.pcm16

  @Option(
    help: ArgumentHelp(
      "Also draw waveform and spectrogram (of at most the first ten minutes).", valueName: "png"))
  var picture: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    if let output { try OutputNames.checkWAV(output) }
    if picture != nil, output == OutputNames.standardOutput {
      throw ValidationError("--picture needs a file, not --output -")
    }
  }

  func run() throws {
    let package = try CodecPackage(path: PackageLocation.findCodec(codec))
    let output =
      self.output ?? ((input as NSString).lastPathComponent as NSString).deletingPathExtension + ".wav"
    try OutputNames.checkPipe(output)
    if let picture { try OutputNames.checkFolder(of: picture) }
    let summary = try Cancellation.run {
      try RecordingCodec.decodeFile(
        input, codec: package, to: output, format: format, threads: threads.value,
        isCancelled: { StopSignal.isRequested })
    }
    let failure = PictureSketch.failure {
      if let picture { try PictureSketch.draw(file: output, to: picture) }
    }
    let report = DecodeReport(
      path: output, seconds: summary.seconds, picture: failure == nil ? picture : nil)
    if !reporting.quiet || reporting.json { try tell(report) }
    if let failure { throw failure }
  }

  private func tell(_ report: DecodeReport) throws {
    let text =
      try reporting.json
      ? JSONLine.text(report) : "\(report.path)  \(String(format: "%.1f", report.seconds)) s"
    if report.path == OutputNames.standardOutput {
      StandardError.write(text + "\n")
    } else {
      try StandardOutput.line(text)
    }
  }
}

private struct DecodeReport: Encodable {
  var path: String
  var seconds: Double
  var picture: String?
}
