import Foundation
import Legato
import LegatoCodecs
import LegatoTensor
import Testing

@testable import LegatoModels

/// The stream of plans against the model's definition, evaluated eagerly on whole sequences.
@Suite struct LatentStreamTests {
  /// What the stream draws from `options(position)`, in the plainest way: the backbone on the whole past each time.
  private func reference(_ model: ContinuousModel, frames: Int, options: (Int) -> GenerationOptions)
    -> [Float]
  {
    let engine = CPUEngine(threads: 1)
    let (d, width) = (model.configuration.latentDimension, model.configuration.backbone.width)
    var (past, levels, drawn): ([Float], [Float], [Float]) = ([], [], [])
    for position in 0..<frames {
      let now = options(position)
      let latent = position == 0 ? model.start.floats() : Array(drawn.suffix(d))
      let level = position == 0 ? 0 : now.contextNoise
      let signal = (now.noiseLaw == .additive ? 1 : 1 - level) * (position == 0 ? 1 : now.feedbackGain)
      let noise = RandomStream(seed: now.seed, stream: 0).normal(d, from: position * d)
      levels.append(level)
      past += (0..<d).map { signal * latent[$0] + level * noise[$0] }
      let z = model.backbone(
        engine.tensor(past, shape: [1, position + 1, d]),
        noise: engine.tensor(levels, shape: [1, position + 1, 1]),
        positions: engine.tensor((0...Int32(position)).map { $0 }, shape: [position + 1])
      ).floats().suffix(width)
      var x = RandomStream(seed: now.seed, stream: 1).normal(d, from: position * d).map {
        $0 * now.temperature
      }
      // The midpoint method once more, written out; an odd number begins with an Euler step.
      func velocity(_ x: [Float], _ t: Float) -> [Float] {
        model.sampler.velocity(
          engine.tensor(x, shape: [1, 1, d]), t: engine.tensor([t], shape: [1, 1, 1]),
          z: engine.tensor(Array(z), shape: [1, 1, width])
        ).floats()
      }
      func moved(_ x: [Float], along v: [Float], by h: Float) -> [Float] { zip(x, v).map { $0 + h * $1 } }
      let h = 1 / Float((now.steps + 1) / 2)
      var t: Float = 0
      if now.steps % 2 == 1 { (x, t) = (moved(x, along: velocity(x, 0), by: h), h) }
      for _ in 0..<now.steps / 2 {
        let middle = moved(x, along: velocity(x, t), by: h / 2)
        (x, t) = (moved(x, along: velocity(middle, t + h / 2), by: h), t + h)
      }
      drawn += x
    }
    return drawn
  }

  @Test(arguments: [true, false])
  func streamIsTheDefinitionAcrossEvictionAndLiveChanges(readsNoiseLevel: Bool) throws {
    let model = try ContinuousModelTests.model(readsNoiseLevel: readsNoiseLevel)
    let (frames, d) = (30, model.configuration.latentDimension)
    // Every parameter changes while it plays, each alone, and after the window of 6 has moved on.
    func options(_ position: Int) -> GenerationOptions {
      var options = GenerationOptions(seed: 4)
      options.temperature = position < 9 ? 1 : 0.6
      options.contextNoise = position < 14 ? 0.1 : 0.4
      options.steps = position < 19 ? 8 : 3
      options.noiseLaw = position < 24 ? .linear : .additive
      options.feedbackGain = position < 27 ? 1.05 : 0.9
      return options
    }
    let stream = LatentStream(model: model, engine: CPUEngine(threads: 2), options: options(0))
    var streamed: [Float] = []
    for position in 0..<frames {
      stream.options = options(position)
      streamed += stream.next()
    }
    let expected = reference(model, frames: frames, options: options)
    for position in 0..<frames {
      let range = position * d..<(position + 1) * d
      expectClose(Array(streamed[range]), Array(expected[range]), 2e-3)
    }
    #expect(stream.recoveries == 0)
  }

  @Test func savedAndLoadedAgainItIsTheSameModel() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("legato-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let sizes = try #require(SpectralCodecConfiguration.preset("tiny"))
    let codec = try SpectralCodec(sizes, weights: RandomWeights(seed: 1, everywhere: 0.05))
    try CodecPackage.write(
      to: folder + "/codec", configuration: .init(name: "tiny", licence: "Apache-2.0", codec: sizes),
      weights: codec.weights, format: nil, card: "")
    let model = try ContinuousModelTests.model()
    try ModelPackage.write(
      to: folder + "/model",
      configuration: .init(name: "a", licence: "Apache-2.0", model: model.configuration),
      weights: model.weights, format: .float32, codec: CodecPackage(path: folder + "/codec"), card: "")
    let loaded = try ModelPackage(path: folder + "/model")
    #expect(loaded.model.configuration == model.configuration)
    for (before, after) in [
      (model.weights, loaded.model.weights), (codec.weights, loaded.codec.codec.weights),
    ] {
      #expect(before.map(\.name) == after.map(\.name) && before.map(\.shape) == after.map(\.shape))
      #expect(zip(before, after).allSatisfy { $0.floats() == $1.floats() })
    }
    func rollout(_ model: ContinuousModel) -> [Float] {
      let stream = LatentStream(model: model, engine: CPUEngine(threads: 1), options: .init(seed: 1))
      return (0..<10).flatMap { _ in Array(stream.next()) }
    }
    #expect(rollout(model) == rollout(loaded.model))

    /// Whether a package loads whose model says that it learned from a codec of this hash.
    func loads(_ hash: String) throws -> Bool {
      var configuration = ModelConfigurationFile(name: "a", licence: "Apache-2.0", model: model.configuration)
      configuration.training = TrainingRecord(
        data: "", steps: 1, seconds: 1, hardware: "", losses: [:], codecHash: hash)
      try ModelPackage.write(
        to: folder + "/of", configuration: configuration, weights: model.weights,
        codec: CodecPackage(path: folder + "/codec"), card: "")
      defer { try? FileManager.default.removeItem(atPath: folder + "/of") }
      do {
        _ = try ModelPackage(path: folder + "/of")
        return true
      } catch let error as PackageError {
        #expect(error.reason.contains("not the one"))
        return false
      }
    }
    #expect(try loads(loaded.codec.hash))
    // As the first version wrote it, over the decoder, too.
    #expect(
      try loads(CodecPackage.earlierHash(of: codec))
        && loaded.codec.hash != CodecPackage.earlierHash(of: codec))
    #expect(try !loads("0123456789abcdef"))
  }
}
