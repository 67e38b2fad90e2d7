import Foundation
import LegatoModels
import LegatoTensor
import LegatoTorch
import Testing

@testable import LegatoTraining

/// What diffusions and mixtures are trained by.
@Suite struct ObjectiveTests {
  private static func model(_ kind: SamplerKind) throws -> ContinuousModel {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    sizes.sampler.kind = kind
    if kind == .mixture { sizes.sampler.modes = 4 }
    return try ContinuousModel(sizes, weights: RandomWeights(seed: 1, everywhere: 0.1))
  }

  private static func batch(_ positions: Int = 12) -> TransformedBatch {
    SequenceTransform(.linearNoise).apply(
      LatentClips(
        latents: (0..<2).map { RandomStream(seed: 2, stream: $0).normal((positions + 1) * 16) },
        begins: [true, false], positions: positions, dimension: 16),
      random: RandomStream(seed: 3, stream: 0))
  }

  private static func objective(_ kind: SamplerKind, draws: Int) -> any Objective {
    var recipe = SamplerRecipe()
    (recipe.draws, recipe.timePer) = (draws, .draw)
    return recipe.objective(kind)
  }

  private static let random = RandomStream(seed: 4, stream: 1)

  private static func z(_ model: ContinuousModel, _ rows: Int, on backend: any Backend) -> Tensor {
    let width = model.configuration.backbone.width
    return backend.tensor(RandomStream(seed: 7, stream: 0).normal(rows * width), shape: [rows, 1, width])
  }

  @Test(arguments: SamplerKind.allCases) func enginesAgree(_ kind: SamplerKind) throws {
    let model = try Self.model(kind)
    let torch = try TorchBackend(device: .cpu)
    func losses(_ backend: any Backend) -> [Float] {
      Self.objective(kind, draws: 3).losses(model, Self.batch(), on: backend, random: Self.random).floats()
    }
    let (ours, theirs) = (losses(CPUEngine(threads: 2)), losses(torch))
    #expect(ours.count == 24 && ours.allSatisfy(\.isFinite))
    for (a, b) in zip(ours, theirs) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b)), "\(a) and \(b)") }
    try torch.check()
  }

  /// The density written out in Float64, mode by mode.
  @Test func aMixturesLossIsItsDensity() throws {
    let model = try Self.model(.mixture)
    let (batch, engine) = (Self.batch(), CPUEngine(threads: 1))
    let rows = batch.items * batch.positions
    let z = Self.z(model, rows, on: engine)
    guard case .mixture(let mixture) = model.sampler else { throw CancellationError() }
    let all = mixture.parameters(of: z).floats().map(Double.init)
    let losses = MixtureObjective().losses(model, z: z, batch, on: engine, random: Self.random).floats()
    let (modes, d) = (4, 16)
    for row in 0..<rows {
      let p = all[row * modes * (1 + 2 * d)..<(row + 1) * modes * (1 + 2 * d)].map { $0 }
      let density = (0..<modes).reduce(0.0) { sum, mode in
        sum
          + (0..<d).reduce(p[mode]) { product, i in
            let (mean, deviation) = (p[modes + mode * d + i], p[modes + (modes + mode) * d + i])
            let u = (Double(batch.targets[row * d + i]) - mean) / deviation
            return product * exp(-u * u / 2) / (deviation * (2 * Double.pi).squareRoot())
          }
      }
      let expected = -log(density) / Double(d)
      #expect(
        abs(Double(losses[row]) - expected) < 1e-4 * max(1, abs(expected)), "\(losses[row]), \(expected)")
    }
  }

  /// A network that says nothing leaves all of the noise: the mean square of its 1 is 1.
  @Test func aDiffusionsLossBeginsAtOne() throws {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    sizes.sampler.kind = .diffusion
    let model = try ContinuousModel(sizes, weights: RandomWeights(seed: 1))
    for sharesTime in [false, true] {
      let loss = DiffusionObjective(draws: 8, sharesTime: sharesTime).loss(
        model, Self.batch(48), on: CPUEngine(threads: 1), random: Self.random
      ).floats()[0]
      #expect(abs(loss - 1) < 0.03, "\(loss)")
    }
  }

  /// The network's input at every step is the latent and the noise in the schedule's shares.
  @Test func aDiffusionSeesTheSchedule() throws {
    let model = try Self.model(.diffusion)
    let engine = CPUEngine(threads: 1)
    let batch = Self.batch()
    let (rows, d, draws) = (24, 16, 3)
    let z = Self.z(model, rows, on: engine)
    let losses = DiffusionObjective(draws: draws).losses(model, z: z, batch, on: engine, random: Self.random)
      .floats()
    let noise = Self.random.normal(rows * draws * d)
    let places = RandomStream(seed: 4, stream: 1 ^ 0x7469_6d65).uniform(rows * draws)
    let network = try #require(model.sampler.network)
    for row in [0, 7, 23] {
      var sum = 0.0
      for draw in 0..<draws {
        let step = 1 + Int(places[row * draws + draw] * 1000)
        let gains = DiffusionSchedule.gains(step: step)
        let e = noise[(row * draws + draw) * d..<(row * draws + draw + 1) * d].map { $0 }
        let x = (0..<d).map { gains.signal * batch.targets[row * d + $0] + gains.noise * e[$0] }
        let found = network(
          engine.tensor(x, shape: [1, 1, d]),
          t: engine.tensor([1 - Float(step) / 1000], shape: [1, 1, 1]),
          z: engine.tensor(Array(z.floats()[row * 64..<(row + 1) * 64]), shape: [1, 1, 64])
        ).floats()
        sum += zip(found, e).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      }
      #expect(abs(sum / Double(draws * d) - Double(losses[row])) < 1e-3, "\(row)")
    }
  }

  /// Gradients of every kind against differences, along a direction of all weights.
  @Test(arguments: SamplerKind.allCases) func gradients(_ kind: SamplerKind) throws {
    let model = try Self.model(kind)
    let torch = try TorchBackend(device: .cpu)
    let objective = Self.objective(kind, draws: 2)
    func loss(_ model: ContinuousModel, on backend: any Backend) -> Tensor {
      objective.loss(model, Self.batch(), on: backend, random: Self.random)
    }
    try torch.makeTrainable(model.weights)
    try torch.backward(loss(model, on: torch))
    var slope = 0.0
    let directions = try model.weights.map { weight -> [Float] in
      let direction = RandomStream(seed: 6, name: weight.name).normal(weight.count)
      // What a model without noise levels does not read has no gradient.
      let gradient = try torch.gradient(of: weight) ?? [Float](repeating: 0, count: weight.count)
      slope += zip(gradient, direction).reduce(0) { $0 + Double($1.0 * $1.1) }
      return direction
    }
    func moved(_ step: Float) throws -> Double {
      let weights = zip(model.weights, directions).map { weight, direction in
        Weight(
          name: weight.name, shape: weight.shape,
          values: zip(weight.floats(), direction).map { $0 + step * $1 })
      }
      let model = try ContinuousModel(
        model.configuration, weights: NamedWeights(weights, origin: "a direction"))
      return Double(loss(model, on: CPUEngine(threads: 1)).floats()[0])
    }
    let step: Float = 1e-3
    let difference = try (moved(step) - moved(-step)) / Double(2 * step)
    #expect(
      abs(slope) > 0.01 && abs(difference - slope) < 0.02 * abs(slope) + 2e-3, "\(slope), \(difference)")
  }
}
