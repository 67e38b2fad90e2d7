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

  @Argument(
    help: ArgumentHelp("The recording, of any usual format, rate and channel count.", valueName: "file"))
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

  func validate() throws {
    if output == OutputNames.standardOutput {
      throw ValidationError("--output -: latents are a file that is read at any place; name one")
    }
  }

  func run() throws {
    let package = try CodecPackage(path: PackageLocation.findCodec(codec))
    let output =
      self.output ?? ((input as NSString).lastPathComponent as NSString).deletingPathExtension
      + ".safetensors"
    try OutputNames.checkFolder(of: output)
    let summary = try Cancellation.run {
      try RecordingCodec.encodeFile(
        input, codec: package, to: output, threads: threads.value, isCancelled: { StopSignal.isRequested })
    }
    let dimension = package.codec.latentDimension
    if reporting.json {
      try StandardOutput.json(
        EncodeReport(
          path: output, frames: summary.frames, dimension: dimension, seconds: summary.seconds,
          codec: package.configuration.name, codec_hash: package.hash))
    } else if !reporting.quiet {
      try StandardOutput.line(
        "\(output)  \(summary.frames) latents of \(dimension) dimensions, codec \(package.configuration.name)"
      )
    }
  }
}

private struct EncodeReport: Encodable {
  var path: String
  var frames: Int
  var dimension: Int
  var seconds: Double
  var codec: String
  var codec_hash: String
}
