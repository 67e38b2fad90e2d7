import LegatoModels

/// Pattern search over the settings of generation: one setting after the other is moved up or down by its step and stays
/// where that helps; where nothing helps, steps are halved (Hooke and Jeeves, "Direct search solution of numerical and
/// statistical problems", 1961).
struct SettingsSearch {
  struct Axis: Sendable {
    var name: SettingsTuner.Setting
    var setting: any WritableKeyPath<GenerationDefaults, Float> & Sendable
    var step: Float
    var range: ClosedRange<Float>
  }

  /// A setting that was tried, and its cost.
  struct Trial: Sendable, Hashable {
    var settings: GenerationDefaults
    var cost: Double
  }

  /// What changed most comes first (Documentation/architecture.md, "Settings are tuned").
  static let axes = [
    Axis(name: .contextNoise, setting: \.contextNoise, step: 0.06, range: 0...0.6),
    Axis(name: .feedbackGain, setting: \.feedbackGain, step: 0.04, range: 0.9...1.3),
    Axis(name: .temperature, setting: \.temperature, step: 0.03, range: 0.8...1.3),
  ]
  private static let halvings = 2

  /// All trials, the start first.
  private(set) var trials: [Trial] = []

  /// Searches from `start` on.
  ///
  /// - Parameter budget: trials at most.
  /// - Returns: the cheapest trial; nil where not even the start was tried.
  mutating func run(
    from start: GenerationDefaults, axes: [Axis] = axes, budget: Int,
    cost: (GenerationDefaults) throws -> Double
  ) rethrows -> Trial? {
    /// Nil once nothing more may be tried.
    func tried(_ settings: GenerationDefaults) throws -> Trial? {
      if let known = trials.first(where: { $0.settings == settings }) { return known }
      guard trials.count < budget else { return nil }
      let trial = Trial(settings: settings, cost: try cost(settings))
      trials.append(trial)
      return trial
    }
    guard var best = try tried(start) else { return nil }
    for halving in 0...Self.halvings {
      let scale = 1 / Float(1 << halving)
      var improves = true
      while improves {
        improves = false
        for axis in axes {
          for direction: Float in [1, -1] {
            var moved = false
            while true {
              var settings = best.settings
              let value = Self.rounded(settings[keyPath: axis.setting] + direction * scale * axis.step)
              settings[keyPath: axis.setting] = min(max(value, axis.range.lowerBound), axis.range.upperBound)
              guard settings != best.settings else { break }
              guard let trial = try tried(settings) else { return best }
              guard trial.cost < best.cost else { break }
              (best, moved, improves) = (trial, true, true)
            }
            // What came from one side does not go back.
            if moved { break }
          }
        }
      }
    }
    return best
  }

  /// To a thousandth: what a person reads and types.
  private static func rounded(_ value: Float) -> Float { (value * 1000).rounded() / 1000 }
}
