import LegatoModels
import Testing

@testable import LegatoTraining

@Suite struct SettingsSearchTests {
  /// A bowl with its bottom at context noise 0.37, gain 1.1 and temperature 0.98.
  private func bowl(_ settings: GenerationDefaults) -> Double {
    func square(_ a: Float, _ b: Double, _ width: Double) -> Double {
      let x = (Double(a) - b) / width
      return x * x
    }
    return square(settings.contextNoise, 0.37, 0.06) + square(settings.feedbackGain, 1.1, 0.04)
      + square(settings.temperature, 0.98, 0.03)
  }

  @Test func findsTheBottom() throws {
    var search = SettingsSearch()
    let found = search.run(from: GenerationDefaults(), budget: 200, cost: bowl)
    let best = try #require(found)
    #expect(abs(best.settings.contextNoise - 0.37) <= 0.015)
    #expect(abs(best.settings.feedbackGain - 1.1) <= 0.01)
    #expect(abs(best.settings.temperature - 0.98) <= 0.0075)
    // What is not searched stays.
    #expect(best.settings.steps == 8 && best.settings.noiseLaw == .linear)
    #expect(best.cost == search.trials.map(\.cost).min())
    #expect(Set(search.trials.map(\.settings)).count == search.trials.count, "a setting was tried twice")
  }

  @Test(arguments: [1, 2, 7]) func keepsToItsBudget(budget: Int) throws {
    var search = SettingsSearch()
    let found = search.run(from: GenerationDefaults(), budget: budget, cost: bowl)
    let best = try #require(found)
    #expect(search.trials.count == budget)
    #expect(search.trials[0].settings == GenerationDefaults())
    #expect(best.cost == search.trials.map(\.cost).min())
  }

  @Test func staysWhereNothingIsBetter() throws {
    var search = SettingsSearch()
    let start = GenerationDefaults()
    let found = search.run(from: start, budget: 200) { $0 == start ? 0 : 1 }
    let best = try #require(found)
    #expect(best.settings == GenerationDefaults())
    // Both sides of three axes, three step sizes.
    #expect(search.trials.count <= 1 + 3 * 2 * 3)
  }

  @Test func staysInside() throws {
    var search = SettingsSearch()
    let found = search.run(from: GenerationDefaults(), budget: 12) {
      Double(-$0.contextNoise - $0.feedbackGain - $0.temperature)
    }
    let best = try #require(found)
    for trial in search.trials {
      for axis in SettingsSearch.axes {
        #expect(axis.range.contains(trial.settings[keyPath: axis.setting]) && trial.settings.problem == nil)
      }
    }
    #expect(best.settings.contextNoise > 0.5)
    var none = SettingsSearch()
    let nothing = none.run(from: GenerationDefaults(), budget: 0, cost: bowl)
    #expect(nothing == nil)
  }

  @Test func aFailureIsPassedOn() {
    struct Failure: Error {}
    var search = SettingsSearch()
    #expect(throws: Failure.self) {
      _ = try search.run(from: GenerationDefaults(), budget: 5) { _ in throw Failure() }
    }
  }
}
