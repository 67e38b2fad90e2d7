import Foundation
import LegatoTensor
import Testing

@testable import LegatoModels

/// What draws latents from mixtures and by diffusion.
@Suite struct SamplerTests {
  @Test func theCosineSchedule() {
    // By the formula, in Python: f(s) = cos²((s/1000 + 0.008)/1.008 · π/2), ᾱ(s) = f(s)/f(0).
    for (step, signal) in [(1, 0.9999587), (250, 0.8470122), (500, 0.4938436), (900, 0.0240917)] {
      let gains = DiffusionSchedule.gains(step: step)
      #expect(abs(Double(gains.signal * gains.signal) - signal) < 2e-6, "\(step): \(gains)")
      #expect(abs(gains.signal * gains.signal + gains.noise * gains.noise - 1) < 1e-6)
    }
    let (last, before) = (
      DiffusionSchedule.gains(step: 1000).signal, DiffusionSchedule.gains(step: 999).signal
    )
    #expect(abs(last * last / (before * before) - 0.001) < 1e-6)
    #expect(DiffusionSchedule.gains(step: 0).signal == 1 && DiffusionSchedule.gains(step: 0).noise == 0)
  }

  @Test(arguments: [1, 2, 3, 32, 100, 999, 1000]) func stepsGoFromNoiseToData(_ count: Int) {
    let schedule = DiffusionSchedule(count: count)
    let steps = (0...count).map(schedule.step)
    #expect(steps[0] == 1000 && steps[count] == 0 && (count == 1 || steps[count - 1] == 1))
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0 > $1 })
    #expect(steps.dropLast().allSatisfy { DiffusionSchedule.step(at: DiffusionSchedule.time(of: $0)) == $0 })
  }

  /// With the noise that an ideal network would find, draws have the mean and the deviation of what is to be learned; 100 steps leave a
  /// narrow variable an eighth too wide.
  @Test(arguments: [(0.5, 0.4, 0.05), (-1, 1, 0.05), (2, 0.1, 0.15)])
  func diffusionDrawsANormalVariable(_ mean: Double, _ deviation: Double, _ error: Double) {
    let (schedule, count) = (DiffusionSchedule(count: 100), 20_000)
    let random = RandomStream(seed: 1, stream: 1)
    var x = random.normal(count)
    for index in 0..<schedule.count {
      let gains = DiffusionSchedule.gains(step: schedule.step(index))
      let (signal, noise) = (Double(gains.signal), Double(gains.noise))
      let variance = signal * signal * deviation * deviation + noise * noise
      let found = x.map { Float(noise * (Double($0) - signal * mean) / variance) }
      var fresh = random.normal(count, from: count * (index + 1))
      x.withUnsafeMutableBufferPointer { x in
        found.withUnsafeBufferPointer { found in
          fresh.withUnsafeMutableBufferPointer {
            schedule.advance(x, at: index, found: found, fresh: $0, temperature: 1)
          }
        }
      }
    }
    let average = x.reduce(0) { $0 + Double($1) } / Double(count)
    let spread = (x.reduce(0) { $0 + (Double($1) - average) * (Double($1) - average) } / Double(count))
      .squareRoot()
    #expect(abs(average - mean) < 0.02 + 0.02 * deviation, "\(average)")
    #expect(abs(spread / deviation - 1) < error, "\(spread)")
  }

  /// A network errs by hundredths, which steps near noise multiply by hundreds: draws stay about as wide as the data all the same.
  @Test(arguments: [1, 2, 8, 25, 100]) func aSmallErrorStaysSmall(_ steps: Int) {
    let (schedule, count) = (DiffusionSchedule(count: steps), 20_000)
    let random = RandomStream(seed: 1, stream: 1)
    var x = random.normal(count)
    for index in 0..<schedule.count {
      let gains = DiffusionSchedule.gains(step: schedule.step(index))
      let error = RandomStream(seed: 2, stream: UInt64(index)).normal(count)
      // Data are standard normal: √(1 − ᾱ) of what is there is noise.
      var found = x.indices.map { gains.noise * x[$0] + 0.02 * error[$0] }
      var fresh = random.normal(count, from: count * (index + 1))
      x.withUnsafeMutableBufferPointer { x in
        found.withUnsafeMutableBufferPointer { found in
          fresh.withUnsafeMutableBufferPointer {
            schedule.advance(x, at: index, found: UnsafeBufferPointer(found), fresh: $0, temperature: 1)
          }
        }
      }
    }
    let width = (x.reduce(0) { $0 + Double($1 * $1) } / Double(count)).squareRoot()
    // One or two know nothing of the latent before they are at its end, and say so.
    #expect(steps < 3 ? width < 0.05 : width > 0.5 && width < 1.1, "\(width)")
  }

  @Test func mixtureDrawsItsModes() throws {
    let (modes, d, width) = (3, 2, 4)
    let mixture = try MixtureSampler(
      WeightScope(RandomWeights(seed: 1, everywhere: 0.5)), modes: modes, conditionWidth: width,
      latentDimension: d)
    // Weights, then means and deviations of each mode.
    let parameters: [Float] = [0.2, 0.5, 0.3, -9, -8, 0, 1, 9, 8, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    let random = RandomStream(seed: 2, stream: 0)
    let count = 30_000
    var drawn: [[[Float]]] = Array(repeating: [], count: modes)
    let (places, noise) = (random.uniform(count), random.normal(count * d, from: count))
    for index in 0..<count {
      var x = Array(noise[index * d..<(index + 1) * d])
      x.withUnsafeMutableBufferPointer { x in
        parameters.withUnsafeBufferPointer {
          mixture.draw($0, position: places[index], temperature: 2, noise: x)
        }
      }
      drawn[x[0] < -5 ? 0 : x[0] < 5 ? 1 : 2].append(x)
    }
    for mode in 0..<modes {
      #expect(abs(Float(drawn[mode].count) / Float(count) - parameters[mode]) < 0.01)
      for i in 0..<d {
        let values = drawn[mode].map { Double($0[i]) }
        let mean = values.reduce(0, +) / Double(values.count)
        let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        #expect(abs(mean - Double(parameters[modes + mode * d + i])) < 0.05)
        #expect(abs(spread / Double(2 * parameters[modes + (modes + mode) * d + i]) - 1) < 0.05)
      }
    }
    // The highest position is the last mode's, whatever weights add up to.
    var x: [Float] = [0, 0]
    x.withUnsafeMutableBufferPointer { x in
      parameters.withUnsafeBufferPointer { mixture.draw($0, position: 1.5, temperature: 1, noise: x) }
    }
    #expect(x == [9, 8])
    let engine = CPUEngine(threads: 1)
    let z = engine.tensor(random.normal(5 * width), shape: [5, 1, width])
    let all = mixture.parameters(of: z).floats()
    for row in 0..<5 {
      let parameters = all[row * 15..<(row + 1) * 15].map { $0 }
      #expect(abs(parameters[..<modes].reduce(0, +) - 1) < 1e-5)
      #expect(parameters[(modes + modes * d)...].allSatisfy { $0 >= MixtureSampler.leastDeviation })
    }
  }

  /// Saved states name their model by this text: a new setting that a model does not use must not change it.
  @Test func statesOfBeforeAreStillTheirModels() throws {
    var sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    let before =
      "ContinuousModelConfiguration(latentDimension: 16, backbone: LegatoModels.BackboneConfiguration(width: 64, layers: 2, "
      + "heads: 2, feedForward: 256, window: 16, sinks: 4, readsNoiseLevel: false), sampler: "
      + "LegatoModels.SamplerConfiguration(kind: LegatoModels.SamplerKind.flow, width: 64, blocks: 2, modes: 32))"
    #expect(sizes.identity == before)
    sizes.backbone.shortContext = ShortContextConfiguration()
    #expect(sizes.identity != before)
  }

  @Test func configurationsAreWrittenAsBefore() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    func text(_ change: (inout SamplerConfiguration) -> Void) throws -> String {
      var configuration = SamplerConfiguration()
      change(&configuration)
      let data = try encoder.encode(configuration)
      #expect(try JSONDecoder().decode(SamplerConfiguration.self, from: data) == configuration)
      return String(decoding: data, as: UTF8.self)
    }
    #expect(try text { _ in } == #"{"blocks":3,"width":384}"#)
    #expect(try text { $0.kind = .diffusion } == #"{"blocks":3,"kind":"diffusion","width":384}"#)
    #expect(
      try text { ($0.kind, $0.modes) = (.mixture, 8) }
        == #"{"blocks":3,"kind":"mixture","modes":8,"width":384}"#)
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(SamplerConfiguration.self, from: Data(#"{"kind":"magic"}"#.utf8))
    }
  }
}
