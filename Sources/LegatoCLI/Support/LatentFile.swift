import LegatoCodecs
import LegatoModels
import LegatoTensor

/// The latents of one recording, as `legato encode` writes them: the tensor `latents` `[frames, dimension]`, and in
/// the metadata the codec that made them and the recording's length.
struct LatentFile {
  static let formatVersion = 1
  private static let tensor = "latents"

  var latents: [Float]
  var dimension: Int
  /// Samples of the recording at the codec's rate; the latents cover a little more.
  var samples: Int
  var sampleRate: Int
  var codecName: String
  var codecHash: String

  var frames: Int { latents.count / max(1, dimension) }

  init(latents: [Float], dimension: Int, samples: Int, sampleRate: Int, codecName: String, codecHash: String) {
    self.latents = latents
    self.dimension = dimension
    self.samples = samples
    self.sampleRate = sampleRate
    self.codecName = codecName
    self.codecHash = codecHash
  }

  init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    let metadata = file.metadata
    guard let version = metadata["format_version"].flatMap(Int.init), metadata["kind"] == "latents",
      file.contains(Self.tensor)
    else { throw CommandError("\(path): not a file of latents; `legato encode` makes them") }
    guard version <= Self.formatVersion else {
      throw CommandError(
        "\(path): format_version \(version) is newer than this Legato reads (\(Self.formatVersion)); update Legato")
    }
    let shape = try file.entry(Self.tensor).shape
    guard shape.count == 2, shape[0] > 0, shape[1] > 0, let samples = metadata["samples"].flatMap(Int.init),
      samples > 0, let rate = metadata["sample_rate"].flatMap(Int.init), rate > 0, let hash = metadata["codec_hash"]
    else { throw CommandError("\(path): the latents or what describes them are damaged; encode the recording again") }
    latents = try file.floats(Self.tensor)
    guard latents.allSatisfy(\.isFinite) else {
      throw CommandError("\(path): the latents contain NaN or infinite values; encode the recording again")
    }
    dimension = shape[1]
    self.samples = samples
    sampleRate = rate
    codecName = metadata["codec"] ?? "unnamed"
    codecHash = hash
  }

  func write(to path: String) throws {
    let writer = try SafetensorsWriter(
      path: path, tensors: [.init(Self.tensor, .float32, [frames, dimension])],
      metadata: [
        "format_version": "\(Self.formatVersion)", "kind": "latents", "codec": codecName, "codec_hash": codecHash,
        "samples": "\(samples)", "sample_rate": "\(sampleRate)",
      ])
    try writer.append(latents, to: Self.tensor)
    try writer.finish()
  }

  /// Latents mean nothing to another codec than their own.
  func check(against package: CodecPackage, path: String) throws {
    guard package.codec.latentDimension == dimension, package.hash == codecHash else {
      throw CommandError(
        "\(path): was encoded by the codec '\(codecName)', not by '\(package.configuration.name)' at \(package.path); "
          + "name the codec that made it with --codec")
    }
    guard (samples - 1) / package.codec.samplesPerFrame < frames else {
      throw CommandError("\(path): it names more samples than its latents can hold; encode the recording again")
    }
  }

  struct Summary: Encodable {
    var path: String
    var frames: Int
    var dimension: Int
    var seconds: Double
    var codec: String
    var codec_hash: String
  }

  func summary(path: String) -> Summary {
    Summary(
      path: path, frames: frames, dimension: dimension, seconds: Double(samples) / Double(sampleRate),
      codec: codecName, codec_hash: codecHash)
  }
}
