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
    help: ArgumentHelp("WAV file to write, or - for standard output. (default: the latents' name, .wav)", valueName: "file"))
  var output: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The codec package, or a model package that holds it. (default: LEGATO_MODEL, or the package that ships)",
      valueName: "folder"))
  var codec: String?

  @Option(help: "How samples are stored: pcm16, pcm24 or float32.")
  var format = WAVWriter.Format.pcm16

  @Option(help: ArgumentHelp("Also draw waveform and spectrogram (of at most the first ten minutes).", valueName: "png"))
  var picture: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    if let output { try OutputNames.checkWAV(output) }
  }

  func run() throws {
    StopSignal.install()
    let package = try CodecPackage(path: PackageLocation.findCodec(codec))
    let file = try LatentFile(path: input)
    try file.check(against: package, path: input)
    let output = self.output ?? ((input as NSString).lastPathComponent as NSString).deletingPathExtension + ".wav"
    if let picture { try OutputNames.checkFolder(of: picture) }
    let codec = package.codec
    let writer = try WAVWriter(output, sampleRate: codec.sampleRate, channels: codec.channels, format: format)
    var sketch = picture.map { _ in PictureSketch(sampleRate: codec.sampleRate) }
    let line = ProgressLine(
      "decoding", total: file.samples / codec.sampleRate, unit: "second", style: reporting.terminalProgress)
    var decoder = FileDecoder(file, codec: codec, threads: threads.threads)
    while let chunk = decoder.next() {
      try writer.append(chunk)
      sketch?.append(chunk)
      line.update(writer.framesWritten / codec.sampleRate)
      if StopSignal.isRequested {
        line.finish()
        throw ExitCode(StopSignal.exitCode ?? 130)
      }
    }
    line.finish()
    try writer.finish()
    if let picture, let sketch { try sketch.write(title: (output as NSString).lastPathComponent, to: picture) }
    let seconds = Double(writer.framesWritten) / Double(codec.sampleRate)
    let text =
      reporting.json
      ? try JSONLine.text(DecodeReport(path: output, seconds: seconds, picture: picture))
      : "\(output)  \(String(format: "%.1f", seconds)) s"
    if reporting.quiet, !reporting.json { return }
    if output == OutputNames.standardOutput { StandardError.write(text + "\n") } else { StandardOutput.line(text) }
  }
}

private struct DecodeReport: Encodable {
  var path: String
  var seconds: Double
  var picture: String?
}
