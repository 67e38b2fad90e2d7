import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import Testing

/// A tiny random package: it makes noise, but every part of generation runs.
enum Tiny {
  static func write(to path: String, seed: UInt64 = 2, codecSeed: UInt64 = 1, styles: [String] = []) throws {
    let scratch = path + "-codec"
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let sizes = try #require(SpectralCodecConfiguration.preset("tiny"))
    let codec = try SpectralCodec(sizes, weights: RandomWeights(seed: codecSeed, everywhere: 0.02))
    try CodecPackage.write(
      to: scratch, configuration: .init(name: "tiny", licence: "CC0-1.0", codec: sizes),
      weights: codec.weights, format: nil, card: "")
    var configuration = try #require(ContinuousModelConfiguration.preset("tiny"))
    configuration.backbone.window = 8
    let model = try ContinuousModel(configuration, weights: RandomWeights(seed: seed, everywhere: 0.02))
    let d = configuration.latentDimension
    let unit = (0..<d * d).map { Float($0 / d == $0 % d ? 1 : 0) }
    let own = try styles.enumerated().map { index, name in
      Style(
        name: name,
        weights: model.styleWeights.map { weight in
          Weight(
            name: weight.name, shape: weight.shape,
            values: RandomStream(seed: UInt64(100 + index), name: weight.name).normal(weight.count))
        },
        latents: try #require(LatentStatistics(mean: [Float](repeating: 0, count: d), covariance: unit)))
    }
    try ModelPackage.write(
      to: path, configuration: .init(name: "tiny", licence: "CC0-1.0", model: configuration),
      weights: model.weights, format: .float32, styles: own, codec: CodecPackage(path: scratch), card: "")
  }

  static func package(seed: UInt64 = 2, codecSeed: UInt64 = 1, styles: [String] = []) throws -> ModelPackage {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("legato-realtime-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try write(to: path, seed: seed, codecSeed: codecSeed, styles: styles)
    return try ModelPackage(path: path)
  }
}

/// The repository.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

let shippedPackage = root.appendingPathComponent("Models/legato-first").path

/// What a session gives through the limiter and the fade: what a stream has to give.
func reference(_ package: ModelPackage, _ options: GenerationOptions, samples: Int) -> [[Float]] {
  let source = ChunkSource(Session(package, options: options, threads: 1))
  var channels = [[Float]](repeating: [], count: package.codec.codec.channels)
  while channels[0].count < samples, let chunk = source.next() {
    for c in channels.indices { channels[c] += chunk.channels[c] }
  }
  return channels.map { Array($0.prefix(samples)) }
}

extension RealtimeStream {
  /// Pulls music only, as fast as it is made: waits where the ring is empty.
  func music(_ samples: Int, block: Int = 512) throws -> [[Float]] {
    var channels = [[Float]](repeating: [], count: self.channels)
    let memory = PlanarMemory(channels: self.channels, capacity: block)
    let end = Date() + 60
    while channels[0].count < samples {
      let got = try pull(into: memory.rows, frames: min(block, samples - channels[0].count))
      let arrays = memory.arrays(0..<got)
      for c in channels.indices { channels[c] += arrays[c] }
      if got == 0 { usleep(1000) }
      if Date() > end { throw GenerationError("no music for a minute") }
    }
    return channels
  }
}
