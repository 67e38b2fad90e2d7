import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoTraining

/// The sampler's loss, on the CPU engine.
@Suite struct FlowObjectiveTests {
  private let engine = CPUEngine(threads: 1)

  private func loss(draws: Int, sharesTime: Bool, stream: UInt64 = 0) throws -> Float {
    let model = try ContinuousModel(
      try #require(ContinuousModelConfiguration.preset("tiny")),
      weights: RandomWeights(seed: 1, everywhere: 0.05))
    let latents = RandomStream(seed: 2, stream: 0).normal(49 * 16)
    let batch = SequenceTransform(.nextToken).apply(
      LatentClips(latents: [latents], begins: [false], positions: 48, dimension: 16),
      random: RandomStream(seed: 3, stream: 0))
    let objective = FlowObjective(draws: draws, logitNormal: (0, 1), sharesTime: sharesTime)
    return objective.loss(model, batch, on: engine, random: RandomStream(seed: 4, stream: stream)).floats()[0]
  }

  @Test func oneTimeForAllDrawsIsTheSameLossOnAverage() throws {
    // With one draw there is nothing to share.
    #expect(try loss(draws: 1, sharesTime: true) == loss(draws: 1, sharesTime: false))
    func average(_ sharesTime: Bool) throws -> Float {
      try (0..<40).reduce(0) { try $0 + loss(draws: 4, sharesTime: sharesTime, stream: UInt64($1)) } / 40
    }
    let (own, shared) = (try average(false), try average(true))
    #expect(own != shared && abs(own - shared) < 0.02 * own, "\(own) and \(shared)")
  }

  @Test func aModelThatIsToldOfNoiseIsToldItInTrainingAndEvaluation() throws {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    sizes.backbone.readsNoiseLevel = true
    let told = try ContinuousModel(sizes, weights: RandomWeights(seed: 1, everywhere: 0.05))
    sizes.backbone.readsNoiseLevel = false
    let guessing = try ContinuousModel(sizes, weights: NamedWeights(told.weights, origin: "the told one"))
    let latents = RandomStream(seed: 2, stream: 0).normal(49 * 16)
    for kind in [SequenceTransform.Kind.nextToken, .additiveNoise] {
      let batch = SequenceTransform(kind).apply(
        LatentClips(latents: [latents], begins: [false], positions: 48, dimension: 16),
        random: RandomStream(seed: 3, stream: 0))
      func loss(_ model: ContinuousModel) -> Float {
        FlowObjective(draws: 1, logitNormal: nil).loss(
          model, batch, on: engine, random: RandomStream(seed: 4, stream: 0)
        ).floats()[0]
      }
      #expect((loss(told) == loss(guessing)) == (kind == .nextToken))
    }
    for noise in [0, 0.5] as [Float] {
      func mean(_ model: ContinuousModel) -> Double {
        LossByPosition(of: model, on: [latents], contextNoise: noise, noiseLaw: .additive, engine: engine)
          .mean
      }
      #expect((mean(told) == mean(guessing)) == (noise == 0))
    }
  }
}
