import ArgumentParser
import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTraining

/// `legato encode`: a recording to latents.
struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a recording into latents.",
    discussion: """
      Writes a safetensors file with the tensor latents, [frames, dimension], normalised to mean 0 and variance 1. \
      `legato decode` turns it back into sound, so that the codec can be heard and judged by itself:

        legato encode song.flac --output song.safetensors
        legato decode song.safetensors --output song-through-codec.wav
      """)

  @Argument(help: ArgumentHelp("The recording, of any usual format, rate and channel count.", valueName: "file"))
  var input: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Latents to write. (default: the recording's name, .safetensors)", valueName: "file"))
  var output: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A codec package, or a model package that holds one. (default: LEGATO_MODEL, or the package that ships)",
      valueName: "folder"))
  var codec: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    StopSignal.install()
    let package = try CodecPackage(path: PackageLocation.findCodec(codec))
    let reader = try AudioFileReader(path: input)
    let output = self.output ?? ((input as NSString).lastPathComponent as NSString).deletingPathExtension + ".safetensors"
    try OutputNames.checkFolder(of: output)
    let line = ProgressLine(
      "encoding", total: reader.info.duration.map { Int($0.rounded(.up)) }, unit: "second",
      style: reporting.terminalProgress)
    var encoder = try FileEncoder(reader, codec: package.codec, threads: threads.threads)
    while try encoder.step() {
      line.update(Int(encoder.seconds))
      if StopSignal.isRequested {
        line.finish()
        throw ExitCode(StopSignal.exitCode ?? 130)
      }
    }
    line.finish()
    let file = LatentFile(
      latents: encoder.latents, dimension: package.codec.latentDimension, samples: encoder.samples,
      sampleRate: package.codec.sampleRate, codecName: package.configuration.name, codecHash: package.hash)
    try file.write(to: output)
    if reporting.json {
      try StandardOutput.json(file.summary(path: output))
    } else if !reporting.quiet {
      StandardOutput.line("\(output)  \(file.frames) latents of \(file.dimension) dimensions, codec \(file.codecName)")
    }
  }
}
