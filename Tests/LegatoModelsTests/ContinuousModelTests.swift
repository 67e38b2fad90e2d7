import Foundation
import Legato
import LegatoModels
import LegatoTensor
import LegatoTorch
import Testing

@Suite struct ContinuousModelTests {
  /// A window shorter than the sequences, so that eviction is always seen. One that is told of noise has a short context, too.
  static func model(
    seed: UInt64 = 5, readsNoiseLevel: Bool = true, sampler: SamplerKind = .flow
  ) throws -> ContinuousModel {
    var c = try #require(ContinuousModelConfiguration.preset("tiny"))
    c.backbone.window = 6
    c.backbone.sinks = 2
    c.backbone.readsNoiseLevel = readsNoiseLevel
    if readsNoiseLevel {
      var short = ShortContextConfiguration()
      (short.window, short.layers) = (3, 2)
      c.backbone.shortContext = short
    }
    c.sampler.kind = sampler
    if sampler == .mixture { c.sampler.modes = 5 }
    if sampler == .codes { (c.sampler.codebooks, c.sampler.codes) = (3, 7) }
    return try ContinuousModel(c, weights: RandomWeights(seed: seed, everywhere: 0.1))
  }

  static func latents(_ model: ContinuousModel, _ frames: Int) -> [Float] {
    RandomStream(seed: 9, stream: 1).normal(frames * model.configuration.latentDimension)
  }

  /// Other noise at every position.
  static func noise(_ range: Range<Int>, on backend: any Backend) -> Tensor {
    backend.tensor(range.map { Float($0 % 5) / 5 }, shape: [1, range.count, 1])
  }

  static func positions(_ range: Range<Int>) -> [Int32] { range.map { Int32($0) } }

  @Test func enginesAgreeOnTheBackbone() throws {
    let model = try Self.model()
    let frames = 20
    func run(_ backend: any Backend) -> [Float] {
      let x = backend.tensor(
        Self.latents(model, frames), shape: [1, frames, model.configuration.latentDimension])
      return model.backbone(
        x, noise: Self.noise(0..<frames, on: backend),
        positions: backend.tensor(Self.positions(0..<frames), shape: [frames])
      ).floats()
    }
    let torch = try TorchBackend(device: .cpu)
    expectClose(run(CPUEngine(threads: 2)), run(torch), 1e-4)
    try torch.check()
  }

  @Test(arguments: SamplerKind.allCases) func enginesAgreeOnTheSampler(_ kind: SamplerKind) throws {
    let model = try Self.model(sampler: kind)
    let (d, width) = (model.configuration.latentDimension, model.configuration.backbone.width)
    func run(_ backend: any Backend) -> [Float] {
      let random = RandomStream(seed: 3, stream: 3)
      let z = backend.tensor(random.normal(5 * width, from: 5000), shape: [5, 1, width])
      guard let network = model.sampler.network else { return model.sampler.conditions(of: z).floats() }
      return network(
        backend.tensor(random.normal(5 * 4 * d), shape: [5, 4, d]),
        t: backend.tensor(random.uniform(20, from: 999), shape: [5, 4, 1]),
        span: backend.tensor(random.uniform(20, from: 99), shape: [5, 4, 1]), z: z
      ).floats()
    }
    let torch = try TorchBackend(device: .cpu)
    expectClose(run(CPUEngine(threads: 2)), run(torch), 1e-4)
    try torch.check()
  }

  @Test(arguments: [[1], [3, 1, 2], [7], [20]])
  func streamingEqualsWholeAcrossEviction(chunks: [Int]) throws {
    let model = try Self.model()
    let (frames, d) = (20, model.configuration.latentDimension)
    let engine = CPUEngine(threads: 2)
    let values = Self.latents(model, frames)
    let whole = model.backbone(
      engine.tensor(values, shape: [1, frames, d]), noise: Self.noise(0..<frames, on: engine),
      positions: engine.tensor(Self.positions(0..<frames), shape: [frames])
    ).floats()
    let margin = [0, 5][chunks.count % 2]
    let cache = StreamState(engine: engine, slots: 2)
    var state = model.backbone.makeState(
      in: cache, settings: StreamState(engine: engine, slots: 2), margin: margin)
    model.backbone.set(sinks: model.backbone.sinks(of: nil), slot: 1, in: state)
    let slots = engine.tensor([Int32(1)], shape: [1])
    var (streamed, first, index): ([Float], Int, Int) = ([], 0, 0)
    while first < frames {
      let count = min(chunks[index % chunks.count], frames - first)
      let x = engine.tensor(Array(values[first * d..<(first + count) * d]), shape: [1, count, d])
      streamed += model.backbone(
        x, noise: Self.noise(first..<first + count, on: engine),
        positions: engine.tensor(Self.positions(first..<first + count), shape: [count]), slots: slots,
        state: &state
      ).floats()
      first += count
      index += 1
    }
    expectClose(streamed, whole, 1e-4)
  }

  @Test func causality() throws {
    let model = try Self.model()
    let (frames, d, changed) = (16, model.configuration.latentDimension, 7)
    let engine = CPUEngine(threads: 1)
    var values = Self.latents(model, frames)
    func run() -> [Float] {
      model.backbone(
        engine.tensor(values, shape: [1, frames, d]), noise: Self.noise(0..<frames, on: engine),
        positions: engine.tensor(Self.positions(0..<frames), shape: [frames])
      ).floats()
    }
    let before = run()
    values[changed * d] += 1
    let after = run()
    let width = model.configuration.backbone.width
    #expect(before[..<(changed * width)] == after[..<(changed * width)])
    #expect(
      before[(changed * width)..<((changed + 1) * width)]
        != after[(changed * width)..<((changed + 1) * width)])
  }

  /// A model of whole sequences: every position sees every other, engines agree, and sequences are drawn by the midpoint method.
  @Test func aModelOfSequencesLooksBothWays() throws {
    var c = try Self.model().configuration
    (c.backbone.isCausal, c.backbone.shortContext) = (false, nil)
    let model = try ContinuousModel(c, weights: RandomWeights(seed: 5, everywhere: 0.1))
    let (frames, d) = (10, c.latentDimension)
    func velocity(_ values: [Float], _ t: Float, on backend: any Backend) -> [Float] {
      model.velocity(
        backend.tensor(values, shape: [1, frames, d]), t: backend.tensor([t], shape: [1]),
        positions: backend.tensor(Self.positions(0..<frames), shape: [frames])
      ).floats()
    }
    let (engine, torch) = (CPUEngine(threads: 2), try TorchBackend(device: .cpu))
    var values = Self.latents(model, frames)
    let before = velocity(values, 0.3, on: engine)
    expectClose(before, velocity(values, 0.3, on: torch), 1e-4)
    values[(frames - 1) * d] += 1
    let after = velocity(values, 0.3, on: engine)
    #expect((0..<frames).allSatisfy { before[$0 * d..<($0 + 1) * d] != after[$0 * d..<($0 + 1) * d] })
    #expect(velocity(values, 0.4, on: engine) != after)

    // Two evaluations: to the middle, and by its velocity to the end.
    let random = RandomStream(seed: 8, stream: 2)
    let start = random.normal(frames * d).map { 0.9 * $0 }
    let middle = zip(start, velocity(start, 0, on: engine)).map { $0 + $1 / 2 }
    let end = zip(start, velocity(middle, 0.5, on: engine)).map { $0 + $1 }
    expectClose(model.sequence(frames, steps: 2, temperature: 0.9, random: random, on: engine), end, 1e-4)

    // It is told how noisy its input is, or it is none.
    c.backbone.readsNoiseLevel = false
    #expect(c.problem?.contains("noise_level") == true)
  }

  @Test func onlyAModelThatIsToldOfNoiseReadsItsLevel() throws {
    let engine = CPUEngine(threads: 1)
    for readsNoiseLevel in [true, false] {
      let model = try Self.model(readsNoiseLevel: readsNoiseLevel)
      let d = model.configuration.latentDimension
      func run(_ level: Float) -> [Float] {
        model.backbone(
          engine.tensor(Self.latents(model, 4), shape: [1, 4, d]),
          noise: engine.tensor([0, level, 0, 0], shape: [1, 4, 1]),
          positions: engine.tensor(Self.positions(0..<4), shape: [4])
        ).floats()
      }
      let (clean, noised, width) = (run(0), run(0.5), model.configuration.backbone.width)
      #expect(clean[..<width] == noised[..<width])
      #expect((clean[width...] != noised[width...]) == readsNoiseLevel)
    }
  }

  /// What `legato bench` takes for the bytes that a frame has to read.
  @Test func cachesAreCountedUpToTheirWindows() throws {
    let model = try Self.model()
    let b = model.configuration.backbone
    // Float32 keys and values: of a window of 6 in all layers, of 3 in two layers of the short context.
    func bytes(_ long: Int, _ short: Int) -> Int { 2 * 4 * b.width * (b.layers * long + 2 * short) }
    #expect(model.backbone.cacheBytes(at: 0) == bytes(1, 1))
    #expect(model.backbone.cacheBytes(at: 4) == bytes(5, 3))
    #expect(model.backbone.cacheBytes(at: 100) == bytes(6, 3))
  }

  @Test func packagesOfBeforeAreCausalAndHaveOneContext() throws {
    var now = BackboneConfiguration()
    (now.isCausal, now.shortContext) = (false, ShortContextConfiguration())
    let data = try JSONEncoder().encode(now)
    #expect(try JSONDecoder().decode(BackboneConfiguration.self, from: data) == now)
    var fields = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    (fields["causal"], fields["short_context"]) = (nil, nil)
    let before = try JSONSerialization.data(withJSONObject: fields)
    #expect(try JSONDecoder().decode(BackboneConfiguration.self, from: before) == BackboneConfiguration())
  }

  @Test func packagesOfBeforeAreNotToldOfNoise() throws {
    var told = BackboneConfiguration()
    told.readsNoiseLevel = true
    let data = try JSONEncoder().encode(told)
    #expect(try JSONDecoder().decode(BackboneConfiguration.self, from: data) == told)
    var fields = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(fields.removeValue(forKey: "noise_level") as? Bool == true)
    told.readsNoiseLevel = false
    let before = try JSONSerialization.data(withJSONObject: fields)
    #expect(try JSONDecoder().decode(BackboneConfiguration.self, from: before) == told)
  }

  @Test func packagesOfBeforeHaveLinearNoiseAndNoGain() throws {
    var now = GenerationDefaults()
    (now.noiseLaw, now.feedbackGain) = (.additive, 1.04)
    let data = try JSONEncoder().encode(now)
    #expect(try JSONDecoder().decode(GenerationDefaults.self, from: data) == now)
    let before = Data(#"{"temperature": 1.07, "steps": 8, "context_noise": 0.2}"#.utf8)
    let old = try JSONDecoder().decode(GenerationDefaults.self, from: before)
    #expect(old.noiseLaw == .linear && old.feedbackGain == 1 && old.steps == 8)
    #expect(old.problem == nil && now.problem == nil)
    now.feedbackGain = 2.5
    #expect(now.problem?.contains("from 0.5 to 2") == true)
  }

  @Test func onlyDistancesCount() throws {
    // What a stream sounds like after hours does not depend on how long it has run.
    let model = try Self.model()
    let (frames, d) = (8, model.configuration.latentDimension)
    let engine = CPUEngine(threads: 1)
    func run(from first: Int) -> [Float] {
      model.backbone(
        engine.tensor(Self.latents(model, frames), shape: [1, frames, d]),
        noise: Self.noise(0..<frames, on: engine),
        positions: engine.tensor(Self.positions(first..<first + frames), shape: [frames])
      ).floats()
    }
    expectClose(run(from: 5_000_000), run(from: 0), 1e-4)
  }

  @Test func everyParameterHasAName() throws {
    let model = try Self.model()
    #expect(Set(model.weights.map(\.name)).count == model.weights.count)
  }

  /// Our exact counts. The CAM paper gives 16 layers and about 150 M parameters; width and sampler are our choice.
  @Test(arguments: [("small", 7_659_008), ("base", 58_024_064), ("cam-150m", 149_239_424)])
  func parameterCounts(preset: String, expected: Int) throws {
    let configuration = try #require(ContinuousModelConfiguration.preset(preset))
    let counter = CountingWeights()
    _ = try ContinuousModel(configuration, weights: counter)
    #expect(counter.total == expected)
  }
}

/// Counts parameters without making them.
final class CountingWeights: WeightSource {
  private(set) var total = 0
  private let storage = WeightStorage(byteCount: 4) { _ in }

  func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    total += shape.reduce(1, *)
    return Weight(name: name, shape: shape, format: .float32, storage: storage)
  }
}
