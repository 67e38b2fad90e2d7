import Legato
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoTraining

@Suite struct OneStepDrawsTests {
  /// Draws of a model that hears its past, against streams that are begun anew for each of them.
  @Test(arguments: [SamplerKind.flow, .mixture]) func drawsAreThoseOfFreshStreams(_ kind: SamplerKind) throws
  {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    sizes.sampler.kind = kind
    let model = try ContinuousModel(sizes, weights: RandomWeights(seed: 4, everywhere: 0.1))
    let (d, every, draws, piece) = (sizes.latentDimension, 5, 3, 2)
    let clip = RandomStream(seed: 6, stream: 0).normal(16 * d)
    var options = GenerationOptions(seed: 7)
    options.contextNoise = 0.3
    let found = try OneStepDraws.sums(
      model, options, clip: clip, number: piece, draws: draws, every: every)
    var expected = OneStepDraws.Sums()
    var others: [[Float]] = []
    for position in [5, 10, 15] {
      let made = try (0..<draws).map { draw in
        let seeds = OneStepDraws.seeds(7, piece: piece, draw: draw, of: draws)
        options.seed = seeds.past
        let stream = LatentStream(model: model, engine: CPUEngine(threads: 1), options: options)
        // In the same parts: a plan of another length rounds otherwise.
        for start in stride(from: 0, to: position, by: every) {
          try clip[start * d..<(start + every) * d].withUnsafeBufferPointer(stream.feed)
        }
        stream.options.seed = seeds.draw
        return Array(stream.next())
      }
      expected.add(made, of: Array(clip[position * d..<(position + 1) * d]))
      others += made
    }
    #expect(found.positions == 3 && found.recoveries == 0 && found.failures == 0)
    #expect(found.score == expected.score && found.drawn == expected.drawn)
    #expect(found.between == expected.between && found.unknown == expected.unknown)
    // All differ: of positions, and of one.
    #expect(Set(others).count == 9)
    // Other pieces and other seeds draw otherwise.
    for (seed, number) in [(7, 3), (8, 2)] {
      options.seed = UInt64(seed)
      let other = try OneStepDraws.sums(
        model, options, clip: clip, number: number, draws: draws, every: every)
      #expect(other.drawn != found.drawn && other.real == found.real)
    }
  }

  @Test func nothingIsLeftOfTheErrorWhereFewDrawsVaryMuch() throws {
    var sums = OneStepDraws.Sums()
    sums.add([[3], [-3]], of: [1])
    let found = try #require(OneStepDraws([sums], draws: 2))
    #expect(found.spread == nil && found.power.value == 9)
    // 3 away on average, and half of 6 between them.
    #expect(found.energyScore.value == 0 && found.energyScore.low == nil)
    #expect(OneStepDraws([OneStepDraws.Sums()], draws: 2) == nil)
  }
}
