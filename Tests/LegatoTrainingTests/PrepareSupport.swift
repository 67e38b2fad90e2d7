import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoTraining

/// A tiny random codec and a few recordings.
struct PrepareFixture {
  let folder: ScratchFolder
  var input: String { folder.path + "/in" }
  var codecPath: String { folder.path + "/codec" }

  init() throws {
    folder = try ScratchFolder()
    try FileManager.default.createDirectory(atPath: input + "/sub", withIntermediateDirectories: true)
    try writeCodec(seed: 1)
    try tone("b.wav", seconds: 2.03)
    try tone("sub/a.wav", seconds: 1.5, rate: 44_100, channels: 1)
    try tone("c.wav", seconds: 1.2, frequency: 330)
  }

  func writeCodec(seed: UInt64, heldOut: Double? = nil) throws {
    var configuration = try #require(SpectralCodecConfiguration.preset("tiny"))
    configuration.decoderWidth = 32
    let codec = try SpectralCodec(configuration, weights: RandomWeights(seed: seed, everywhere: 0.02))
    var file = CodecConfigurationFile(name: "random", licence: "CC0-1.0", codec: configuration)
    file.heldOutMelDistance = heldOut
    try CodecPackage.write(
      to: codecPath, configuration: file, weights: codec.weights, format: nil, card: "Random.")
  }

  func tone(_ name: String, seconds: Double, rate: Int = 48_000, channels: Int = 2, frequency: Double = 440)
    throws
  {
    let samples = (0..<Int(seconds * Double(rate))).map {
      Float(0.4 * sin(2 * .pi * frequency * Double($0) / Double(rate)))
    }
    try AudioFile.write(
      AudioBuffer(sampleRate: rate, channels: Array(repeating: samples, count: channels)),
      to: input + "/" + name)
  }

  /// Broken, silent, too short, and with a NaN.
  func addUnusable() throws {
    try Data("this is no sound".utf8).write(to: URL(fileURLWithPath: input + "/broken.wav"))
    let silence = AudioBuffer(sampleRate: 48_000, channels: [[Float](repeating: 0, count: 96_000)])
    try AudioFile.write(silence, to: input + "/silent.wav")
    try tone("short.wav", seconds: 0.2)
    try AudioFile.write(silence, to: input + "/nan.wav", format: .float32)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: input + "/nan.wav"))
    withUnsafeBytes(of: Float.nan.bitPattern.littleEndian) {
      bytes.replaceSubrange(bytes.count - 4000..<bytes.count - 3996, with: $0)
    }
    try bytes.write(to: URL(fileURLWithPath: input + "/nan.wav"))
  }

  func options(_ output: String = "out") -> PrepareOptions {
    var options = PrepareOptions(input: input, codec: codecPath, output: folder.path + "/" + output)
    options.threads = 1
    options.excerpts = 0
    return options
  }

  func run(_ options: PrepareOptions) throws -> PrepareReport { try Preparation(options).run(style: .quiet) }

  func files(_ output: String) throws -> [String: Data] {
    let root = folder.path + "/" + output
    let names = try FileManager.default.subpathsOfDirectory(atPath: root).filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: root + "/" + name, isDirectory: &isFolder)
        && !isFolder.boolValue
    }
    return try Dictionary(uniqueKeysWithValues: names.map { ($0, try folder.bytes(output + "/" + $0)) })
  }
}
