import Foundation
import LegatoCodecs
import LegatoTensor
import Testing

@testable import Legato
@testable import LegatoModels

/// The stream of plans against the model's definition, evaluated eagerly on whole sequences.
@Suite struct LatentStreamTests {
  /// ᾱ of the cosine schedule, by its formula.
  private static func signal(_ step: Int) -> Double {
    func f(_ s: Int) -> Double {
      let c = cos((Double(s) / 1000 + 0.008) / 1.008 * Double.pi / 2)
      return c * c
    }
    return step == 1000 ? 0.001 * f(999) / f(0) : f(step) / f(0)
  }

  /// What the stream draws from `options(position)`, in the plainest way: the backbone on the whole past each time.
  private func reference(_ model: ContinuousModel, frames: Int, options: (Int) -> GenerationOptions)
    -> [Float]
  {
    let engine = CPUEngine(threads: 1)
    if case .codes(let sampler) = model.sampler {
      return reference(model, sampler, frames: frames, options: options)
    }
    let (d, width) = (model.configuration.latentDimension, model.configuration.backbone.width)
    var (past, clean, levels, drawn): ([Float], [Float], [Float], [Float]) = ([], [], [], [])
    for position in 0..<frames {
      let now = options(position)
      let latent = position == 0 ? model.start.floats() : Array(drawn.suffix(d))
      let level = position == 0 ? 0 : now.contextNoise
      let signal = (now.noiseLaw == .additive ? 1 : 1 - level) * (position == 0 ? 1 : now.feedbackGain)
      let noise = RandomStream(seed: now.seed, stream: 0).normal(d, from: position * d)
      levels.append(level)
      past += (0..<d).map { signal * latent[$0] + level * noise[$0] }
      clean += latent.map { (position == 0 ? 1 : now.feedbackGain) * $0 }
      let z = model.backbone(
        engine.tensor(past, shape: [1, position + 1, d]),
        clean: engine.tensor(clean, shape: [1, position + 1, d]),
        noise: engine.tensor(levels, shape: [1, position + 1, 1]),
        positions: engine.tensor((0...Int32(position)).map { $0 }, shape: [position + 1])
      ).floats().suffix(width)
      let z3 = engine.tensor(Array(z), shape: [1, 1, width])
      let start = RandomStream(seed: now.seed, stream: 1).normal(d, from: position * d)
      func said(_ network: SamplerNetwork, _ x: [Float], _ t: Float, span: Float = 0) -> [Float] {
        network(
          engine.tensor(x, shape: [1, 1, d]), t: engine.tensor([t], shape: [1, 1, 1]),
          span: engine.tensor([span], shape: [1, 1, 1]), z: z3
        ).floats()
      }
      func moved(_ x: [Float], along v: [Float], by h: Float) -> [Float] { zip(x, v).map { $0 + h * $1 } }
      switch model.sampler {
      case .flow(let network):
        // The midpoint method once more, written out; an odd number begins with an Euler step.
        var x = start.map { $0 * now.temperature }
        let h = 1 / Float((now.steps + 1) / 2)
        var t: Float = 0
        if now.steps % 2 == 1 { (x, t) = (moved(x, along: said(network, x, 0), by: h), h) }
        for _ in 0..<now.steps / 2 {
          let middle = moved(x, along: said(network, x, t), by: h / 2)
          (x, t) = (moved(x, along: said(network, middle, t + h / 2), by: h), t + h)
        }
        drawn += x
      case .flowMap(let network):
        var x = start.map { $0 * now.temperature }
        let h = 1 / Float(now.steps)
        for index in 0..<now.steps {
          x = moved(x, along: said(network, x, Float(index) * h, span: h), by: h)
        }
        drawn += x
      case .diffusion(let network):
        var x = start
        for index in 0..<now.steps {
          let step = 1 + Int((999 * Double(now.steps - 1 - index) / Double(now.steps - 1)).rounded())
          let next =
            index + 1 < now.steps
            ? 1 + Int((999 * Double(now.steps - 2 - index) / Double(now.steps - 1)).rounded()) : 0
          let (here, there) = (Self.signal(step), Self.signal(next))
          let found = said(network, x, 1 - Float(step) / 1000)
          let fresh = RandomStream(seed: now.seed, stream: 2).normal(
            d, from: ((position + 1) * 1000 + index) * d)
          x = (0..<d).map { i in
            // Next to noise alone nothing is known of the latent.
            let latent =
              here.squareRoot() < 0.01
              ? 0 : (Double(x[i]) - (1 - here).squareRoot() * Double(found[i])) / here.squareRoot()
            let beta = 1 - here / there
            let mean =
              there.squareRoot() * beta / (1 - here) * min(max(latent, -6), 6)
              + (1 - beta).squareRoot() * (1 - there) / (1 - here) * Double(x[i])
            let deviation = (beta * (1 - there) / (1 - here)).squareRoot() * Double(now.temperature)
            return Float(mean + deviation * Double(fresh[i]))
          }
        }
        drawn += x
      case .codes: break
      case .mixture(let mixture):
        let (logits, means, deviations) = mixture.distribution(of: z3)
        let weights = logits.softmax().floats()
        let word = RandomStream(seed: now.seed, stream: 2).words(at: UInt64(position + 1)).0
        let place = Double(word) / 4_294_967_296
        var (mode, sum) = (0, Double(weights[0]))
        while mode + 1 < weights.count, place >= sum {
          (mode, sum) = (mode + 1, sum + Double(weights[mode + 1]))
        }
        drawn += (0..<d).map {
          means.floats()[mode * d + $0] + now.temperature * deviations.floats()[mode * d + $0] * start[$0]
        }
      }
    }
    return drawn
  }

  /// The same of codes: those of a position are of as many latents, which are complete two positions later.
  private func reference(
    _ model: ContinuousModel, _ sampler: CodeSampler, frames: Int, options: (Int) -> GenerationOptions
  ) -> [Float] {
    let engine = CPUEngine(threads: 1)
    let (d, width, books, n) = (
      model.configuration.latentDimension, model.configuration.backbone.width, sampler.codebooks,
      sampler.codes
    )
    var past = model.start.floats()
    var drawn: [[Int]] = []
    for position in 0..<frames {
      let now = options(position)
      let z = model.backbone(
        engine.tensor(past, shape: [1, position + 1, books * n]),
        noise: engine.tensor([Float](repeating: 0, count: position + 1), shape: [1, position + 1, 1]),
        positions: engine.tensor((0...Int32(position)).map { $0 }, shape: [position + 1])
      ).floats().suffix(width)
      let logits = sampler.logits(of: engine.tensor(Array(z), shape: [1, 1, width])).floats()
      var (codes, input) = ([Int](), [Float](repeating: 0, count: books * n))
      for book in 0..<books where position >= book {
        let shares = logits[book * n..<(book + 1) * n].map { exp(Double($0) / Double(now.temperature)) }
        let word = RandomStream(seed: now.seed, stream: 2).words(at: UInt64((position + 1) * books + book)).0
        var (left, code) = (Double(word >> 8) / Double(1 << 24) * shares.reduce(0, +), 0)
        while code < n - 1, left >= shares[code] { (left, code) = (left - shares[code], code + 1) }
        codes.append(code)
        input[book * n + code] = 1
      }
      drawn.append(codes)
      past += input
    }
    let vectors = sampler.vectors.floats()
    return (0..<frames).flatMap { position -> [Float] in
      let first = position - (books - 1)
      guard first >= 0 else { return [Float](repeating: 0, count: d) }
      return (0..<d).map { j in
        (0..<books).reduce(Float(0)) { $0 + vectors[($1 * n + drawn[first + $1][$1]) * d + j] }
      }
    }
  }

  @Test func codesCannotContinueARecordingAndAreHeardLate() throws {
    let model = try ContinuousModelTests.model(sampler: .codes)
    let stream = LatentStream(model: model, engine: CPUEngine(threads: 1), options: .init(seed: 1))
    let given = [Float](repeating: 0, count: model.configuration.latentDimension)
    #expect(throws: GenerationError.self) { try given.withUnsafeBufferPointer { try stream.feed($0) } }
    for position in 0..<5 { #expect(stream.next().contains { $0 != 0 } == (position >= 2)) }
    // What was saved is only gone on from where codes are codes.
    var saved = stream.save()
    for wrong in [7, -2, 0.5, .nan] as [Float] {
      saved.latent[0] = wrong
      #expect(throws: GenerationError.self) { try stream.restore(saved) }
    }
    saved.latent[0] = 6
    try stream.restore(saved)
  }

  /// Logits that are no numbers are no codes: the stream tries again, then gives silence, and tells.
  @Test func codesOfWeightsThatAreTooLargeAreCounted() throws {
    let model = try ContinuousModelTests.model(sampler: .codes)
    let weights = model.weights.map { weight in
      weight.name == "sampler.out.weight"
        ? Weight(name: weight.name, shape: weight.shape, values: weight.floats().map { _ in 3e38 }) : weight
    }
    let broken = try ContinuousModel(model.configuration, weights: NamedWeights(weights, origin: "broken"))
    let stream = LatentStream(model: broken, engine: CPUEngine(threads: 1), options: .init(seed: 1))
    for _ in 0..<5 { #expect(stream.next().allSatisfy { $0 == 0 }) }
    #expect(stream.failures == 5 && stream.recoveries > 5)
  }

  @Test(arguments: [true, false], SamplerKind.allCases)
  func streamIsTheDefinitionAcrossEvictionAndLiveChanges(readsNoiseLevel: Bool, sampler: SamplerKind) throws {
    let model = try ContinuousModelTests.model(readsNoiseLevel: readsNoiseLevel, sampler: sampler)
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
    // Codes are complete, and heard, two positions late.
    let first = sampler == .codes ? 2 : 0
    #expect(streamed[..<(first * d)].allSatisfy { $0 == 0 })
    for position in first..<frames {
      let range = position * d..<(position + 1) * d
      expectClose(Array(streamed[range]), Array(expected[range]), 2e-3)
    }
    #expect(stream.recoveries == 0)
  }

  @Test(arguments: SamplerKind.allCases) func savedAndLoadedAgainItIsTheSameModel(_ kind: SamplerKind) throws
  {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("legato-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let sizes = try #require(SpectralCodecConfiguration.preset("tiny"))
    let codec = try SpectralCodec(sizes, weights: RandomWeights(seed: 1, everywhere: 0.05))
    try CodecPackage.write(
      to: folder + "/codec", configuration: .init(name: "tiny", licence: "Apache-2.0", codec: sizes),
      weights: codec.weights, format: nil, card: "")
    let model = try ContinuousModelTests.model(sampler: kind)
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
