import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// A model package of random weights at the size of tests: noise, but a whole package.
enum TinyPackage {
  /// - Parameter window: latents that the model reads at once; nil for the preset's.
  static func write(to path: String, seed: UInt64 = 1, window: Int? = nil) throws {
    let scratch = path + "-codec"
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    try writeCodec(to: scratch, seed: seed)
    let codec = try CodecPackage(path: scratch)
    guard var sizes = ContinuousModelConfiguration.preset("tiny") else {
      throw CocoaError(.featureUnsupported)
    }
    if let window { sizes.backbone.window = window }
    var configuration = ModelConfigurationFile(name: "tiny-noise", licence: "CC0-1.0", model: sizes)
    configuration.training = TrainingRecord(
      data: "none: random weights", steps: 0, seconds: 0, hardware: "none", losses: ["flow": 1.25],
      codecHash: codec.hash)
    let model = try ContinuousModel(sizes, weights: RandomWeights(seed: seed, everywhere: 0.02))
    try ModelPackage.write(
      to: path, configuration: configuration, weights: model.weights, codec: codec, card: "# tiny noise\n")
  }

  static func writeCodec(to path: String, seed: UInt64 = 1) throws {
    guard let sizes = SpectralCodecConfiguration.preset("tiny") else { throw CocoaError(.featureUnsupported) }
    let codec = try SpectralCodec(sizes, weights: RandomWeights(seed: seed, everywhere: 0.02))
    let configuration = CodecConfigurationFile(name: "tiny-codec", licence: "CC0-1.0", codec: sizes)
    try CodecPackage.write(
      to: path, configuration: configuration, weights: codec.weights, format: nil, card: "# tiny codec\n")
  }

  /// A chord, so that a prompt is something.
  static func recording(seconds: Double, sampleRate: Int = 44_100, channels: Int = 1) -> AudioBuffer {
    let count = Int(seconds * Double(sampleRate))
    let samples = (0..<count).map { index -> Float in
      let time = Float(index) / Float(sampleRate)
      return [220, 277.18, 329.63].reduce(0) { $0 + 0.1 * sin(2 * .pi * $1 * time) }
    }
    return AudioBuffer(sampleRate: sampleRate, channels: Array(repeating: samples, count: channels))
  }
}
