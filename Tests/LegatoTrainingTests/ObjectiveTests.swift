import Foundation
import LegatoModels
import LegatoNN
import LegatoTensor
import LegatoTorch
import Testing

@testable import LegatoTraining

/// What samplers are trained by.
@Suite struct ObjectiveTests {
  private static func model(_ kind: SamplerKind) throws -> ContinuousModel {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    sizes.sampler.kind = kind
    if kind == .mixture { sizes.sampler.modes = 4 }
    if kind == .codes { (sizes.sampler.codebooks, sizes.sampler.codes) = (3, 7) }
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
    var sizes = ContinuousModelConfiguration()
    sizes.sampler.kind = kind
    return recipe.objective(sizes)
  }

  private static let random = RandomStream(seed: 4, stream: 1)

  /// The gradients that a backward pass has left against differences of `loss`, along a direction of all weights.
  private static func expectGradients(
    of model: ContinuousModel, on torch: TorchBackend, loss: (ContinuousModel) throws -> Double
  ) throws {
    var slope = 0.0
    let directions = try model.weights.map { weight -> [Float] in
      // Codebooks are found, not trained: with others codes would change.
      let isFound = weight.name == CodeSampler.vectorsName
      let direction =
        isFound
        ? [Float](repeating: 0, count: weight.count)
        : RandomStream(seed: 6, name: weight.name).normal(weight.count)
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
      return try loss(
        ContinuousModel(model.configuration, weights: NamedWeights(weights, origin: "a direction")))
    }
    let step: Float = 1e-3
    let difference = try (moved(step) - moved(-step)) / Double(2 * step)
    #expect(
      abs(slope) > 0.01 && abs(difference - slope) < 0.02 * abs(slope) + 2e-3, "\(slope), \(difference)")
  }

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

  /// The delay pattern and the categorical likelihood, code by code.
  @Test func theLossOfCodesIsTheirLikelihood() throws {
    let model = try Self.model(.codes)
    guard case .codes(let sampler) = model.sampler else { throw CancellationError() }
    let (batch, engine, length, d, books, n) = (Self.batch(), CPUEngine(threads: 1), 12, 16, 3, 7)
    let losses = CodesObjective().losses(model, batch, on: engine, random: Self.random).floats()
    let vectors = sampler.vectors.floats()
    for item in 0..<2 {
      // The first clip begins its piece: its first latent is the first target. The second has one before.
      let clip = RandomStream(seed: 2, stream: UInt64(item)).normal(13 * d)
      let codes: [[Int]] = (0..<13).map { frame in
        var rest = Array(clip[frame * d..<(frame + 1) * d])
        return (0..<books).map { book in
          func distance(_ code: Int) -> Float {
            (0..<d).reduce(0) { sum, j in
              let e = rest[j] - vectors[(book * n + code) * d + j]
              return sum + e * e
            }
          }
          let code = (0..<n).min { distance($0) < distance($1) } ?? 0
          for j in 0..<d { rest[j] -= vectors[(book * n + code) * d + j] }
          return code
        }
      }
      func input(_ step: Int) -> [Float] {
        if step < 0 { return item == 0 ? model.start.floats() : [Float](repeating: 0, count: books * n) }
        var values = [Float](repeating: 0, count: books * n)
        for book in 0..<books where step >= book { values[book * n + codes[step - book][book]] = 1 }
        return values
      }
      let first = item == 0 ? 0 : 1
      let z = model.backbone(
        engine.tensor((0..<length).flatMap { input($0 + first - 1) }, shape: [1, length, books * n]),
        noise: engine.tensor([Float](repeating: 0, count: length), shape: [1, length, 1]),
        positions: engine.tensor((0..<12).map { Int32($0) }, shape: [length]))
      let logits = sampler.logits(of: z).floats().map(Double.init)
      for position in 0..<length {
        let known = (0..<books).filter { position + first >= $0 }
        let nats = known.map { book in
          let all = logits[(position * books + book) * n..<(position * books + book + 1) * n].map { $0 }
          return log(all.reduce(0) { $0 + exp($1) }) - all[codes[position + first - book][book]]
        }
        let expected = nats.reduce(0, +) / Double(nats.count)
        #expect(abs(Double(losses[item * length + position]) - expected) < 1e-4, "\(item), \(position)")
      }
    }
  }

  /// Points in clusters of clusters: each codebook finds a level, in the order in which codes are taken.
  @Test func codebooksAreFoundLevelByLevel() throws {
    let (d, count, engine) = (6, 4000, CPUEngine(threads: 1))
    let noise = RandomStream(seed: 11, stream: 0)
    let coarse = (0..<4).map { noise.normal(d, from: $0 * d).map { 8 * $0 } }
    let fine = (0..<4).map { noise.normal(d, from: 100 + $0 * d) }
    let points = (0..<count).flatMap { row in
      let rest = noise.normal(d, from: 1000 + row * d)
      return (0..<d).map { coarse[row % 4][$0] + fine[row / 4 % 4][$0] + 0.01 * rest[$0] }
    }
    let vectors = CodebookFit.vectors(
      of: points, dimension: d, codebooks: 2, codes: 6, seed: 3, on: engine)
    #expect(
      vectors == CodebookFit.vectors(of: points, dimension: d, codebooks: 2, codes: 6, seed: 3, on: engine))
    #expect(vectors.allSatisfy { FloatBits.float(bfloat16: FloatBits.bfloat16($0)) == $0 })
    var sizes = SamplerConfiguration()
    (sizes.kind, sizes.codebooks, sizes.codes) = (.codes, 2, 6)
    let source = ReplacingWeights(
      Weight(name: CodeSampler.vectorsName, shape: [12, d], values: vectors), in: RandomWeights(seed: 1))
    let sampler = try CodeSampler(
      WeightScope(source)["sampler"], sizes, conditionWidth: 8, latentDimension: d)
    #expect(sampler.vectors.floats() == vectors)
    func energy(_ values: [Float]) -> Float { values.reduce(0) { $0 + $1 * $1 } / Float(count) }
    let first = Array(vectors[..<(6 * d)])
    let nearest = CodeSampler.nearest(points, to: first, dimension: d, on: engine)
    var left = points
    for row in 0..<count {
      for j in 0..<d { left[row * d + j] -= first[Int(nearest[row]) * d + j] }
    }
    let quantised = sampler.quantised(points, on: engine)
    let rest = zip(points, quantised).map { $0 - $1 }
    // The first finds the coarse clusters, the second most of what is left.
    let energies = [energy(points), energy(left), energy(rest)]
    #expect(energies[1] < 0.1 * energies[0] && energies[2] < 0.3 * energies[1], "\(energies)")
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

  /// A flow of whole sequences: engines agree, and the loss is that of one time for a sequence.
  @Test func aSequencesFlowHasOneTime() throws {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    (sizes.backbone.isCausal, sizes.backbone.readsNoiseLevel) = (false, true)
    let model = try ContinuousModel(sizes, weights: RandomWeights(seed: 1, everywhere: 0.1))
    let objective = SamplerRecipe().objective(sizes)
    let (batch, engine) = (Self.batch(), CPUEngine(threads: 1))
    let ours = objective.losses(model, batch, on: engine, random: Self.random).floats()
    let torch = try TorchBackend(device: .cpu)
    let theirs = objective.losses(model, batch, on: torch, random: Self.random).floats()
    for (a, b) in zip(ours, theirs) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b)), "\(a) and \(b)") }
    try torch.check()
    let times = RandomStream(seed: 4, stream: 1 ^ 0x7469_6d65).normal(2).map { 1 / (1 + exp(-Double($0))) }
    let noise = Self.random.normal(2 * 12 * 16)
    for item in 0..<2 {
      let range = item * 12 * 16..<(item + 1) * 12 * 16
      let (x, e, t) = (Array(batch.targets[range]), Array(noise[range]), Float(times[item]))
      let v = model.velocity(
        engine.tensor(zip(x, e).map { t * $0 + (1 - t) * $1 }, shape: [1, 12, 16]),
        t: engine.tensor([t], shape: [1]),
        positions: engine.tensor((0..<12).map { Int32($0) }, shape: [12])
      ).floats()
      for position in 0..<12 {
        let error = (position * 16..<(position + 1) * 16).reduce(Float(0)) {
          let difference = v[$1] - (x[$1] - e[$1])
          return $0 + difference * difference / 16
        }
        #expect(abs(error - ours[item * 12 + position]) < 1e-3 * max(1, error))
      }
    }
  }

  /// A flow map's derivative in how far it leads, against differences.
  @Test func aFlowMapsDerivative() throws {
    let model = try Self.model(.flowMap)
    let network = try #require(model.sampler.network)
    let engine = CPUEngine(threads: 1)
    let (rows, d) = (5, 16)
    let random = RandomStream(seed: 8, stream: 0)
    let z = Self.z(model, rows, on: engine)
    let x = engine.tensor(random.normal(rows * 2 * d), shape: [rows, 2, d])
    let t = engine.tensor(random.uniform(rows * 2).map { 0.5 * $0 }, shape: [rows, 2, 1])
    let span = engine.tensor(random.uniform(rows * 2, from: 50).map { 0.1 + 0.4 * $0 }, shape: [rows, 2, 1])
    let map = network.differentiated(x, t: t, span: span, z: z)
    for (a, b) in zip(map.value.floats(), network(x, t: t, span: span, z: z).floats()) {
      #expect(abs(a - b) < 1e-4)
    }
    let h: Float = 0.005
    let (after, before) = (network(x, t: t, span: span + h, z: z), network(x, t: t, span: span - h, z: z))
    let slopes = ((after - before) / (2 * h)).floats()
    let derivative = try #require(map.derivative).floats()
    let size = (slopes.reduce(0) { $0 + $1 * $1 } / Float(slopes.count)).squareRoot()
    #expect(size > 0.05)
    for (a, b) in zip(derivative, slopes) { #expect(abs(a - b) < 0.01 * size, "\(a) and \(b)") }
  }

  /// The distillation's gradient: that of the slope, with what it aims at held still.
  @Test(arguments: [1, 3]) func aFlowMapsDistillationAimsAtAConstant(draws: Int) throws {
    let model = try Self.model(.flowMap)
    let objective = try #require(Self.objective(.flowMap, draws: draws) as? FlowMapObjective)
    let (batch, engine, torch) = (Self.batch(), CPUEngine(threads: 1), try TorchBackend(device: .cpu))
    let rows = batch.items * batch.positions
    func z(_ backend: any Backend) -> Tensor { Self.z(model, rows, on: backend) }
    let ours = objective.distillation(model, z: z(engine), batch, on: engine, random: Self.random).floats()
    try torch.makeTrainable(model.weights)
    let losses = objective.distillation(model, z: z(torch), batch, on: torch, random: Self.random)
    for (a, b) in zip(ours, losses.floats()) { #expect(abs(a - b) <= 2e-4 * max(1, abs(b)), "\(a) and \(b)") }
    try torch.backward(losses.mean(axis: 0))
    let aim = objective.slopes(model, z: z(engine), batch, on: engine, random: Self.random).aim.floats()
    #expect(aim.count == rows * draws * batch.dimension)
    try Self.expectGradients(of: model, on: torch) { model in
      let found = objective.slopes(model, z: z(engine), batch, on: engine, random: Self.random).slope.floats()
      return zip(found, aim).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / Double(found.count)
    }
  }

  /// Learned from a normal variable, one evaluation draws it. A flow's one step, from the same noise, leads towards its mean.
  @Test(arguments: [SamplerKind.flowMap, .flow]) func oneEvaluationOfAFlowMapDraws(_ kind: SamplerKind) throws
  {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    sizes.sampler.kind = kind
    sizes.latentDimension = 2
    let model = try ContinuousModel(sizes, weights: RandomWeights(seed: 1))
    let torch = try TorchBackend(device: .cpu)
    let optimizer = try AdamW(torch, model.weights.filter { $0.name.hasPrefix("sampler.") })
    let objective = try #require(Self.objective(kind, draws: 4) as? any TokenObjective)
    let (rows, means, deviations) = (128, [1, -0.5] as [Float], [0.5, 1.5] as [Float])
    for step in 0..<800 {
      let latents = RandomStream(seed: 5, stream: UInt64(step)).normal((rows + 1) * 2).enumerated().map {
        means[$0 % 2] + deviations[$0 % 2] * $1
      }
      let batch = SequenceTransform(.nextToken).apply(
        LatentClips(latents: [latents], begins: [false], positions: rows, dimension: 2),
        random: RandomStream(seed: 3, stream: 0))
      let z = torch.tensor([Float](repeating: 0, count: rows * 64), shape: [rows, 1, 64])
      let loss = objective.losses(
        model, z: z, batch, on: torch, random: RandomStream(seed: 6, stream: UInt64(step))
      ).mean(axis: 0)
      try torch.backward(loss)
      try optimizer.step(learningRate: step < 500 ? 3e-3 : 3e-4)
      try optimizer.clearGradients()
    }
    let network = try #require(model.sampler.network)
    let count = 4000
    let noise = RandomStream(seed: 9, stream: 0).normal(count * 2)
    let drawn = torch.withoutGradients {
      let x = torch.tensor(noise, shape: [count, 1, 2])
      let t = torch.tensor([Float](repeating: 0, count: count), shape: [count, 1, 1])
      let z = torch.tensor([Float](repeating: 0, count: count * 64), shape: [count, 1, 64])
      return (x + network(x, t: t, span: t + 1, z: z)).floats()
    }
    for i in 0..<2 {
      let values = stride(from: i, to: drawn.count, by: 2).map { Double(drawn[$0]) }
      let mean = values.reduce(0, +) / Double(count)
      let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)).squareRoot()
      #expect(kind == .flow || abs(mean - Double(means[i])) < 0.2, "mean \(mean)")
      let share = spread / Double(deviations[i])
      #expect(kind == .flow ? share < 0.6 : abs(share - 1) < 0.15, "\(kind): \(share) of the deviation")
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
    try Self.expectGradients(of: model, on: torch) { Double(loss($0, on: CPUEngine(threads: 1)).floats()[0]) }
  }
}
