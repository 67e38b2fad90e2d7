import ArgumentParser
import LegatoModels

/// Settings of generation of which several are tried, in all combinations.
struct SettingVariants: ParsableArguments {
  @Option(
    help:
      "Share of noise mixed into a latent before it is fed back; repeat it for several. (default: the package's)"
  )
  var contextNoise: [Float] = []

  @Option(
    help:
      "Standard deviation of the noise that a latent starts from; repeat it for several. (default: the package's)"
  )
  var temperature: [Float] = []

  @Option(
    help:
      "Evaluations of the sampler for a latent, where it has any; repeat it for several. (default: the package's)"
  )
  var steps: [Int] = []

  func validate() throws {
    try GenerationDefaults.validate(contextNoise, as: \.contextNoise)
    try GenerationDefaults.validate(temperature, as: \.temperature)
    try GenerationDefaults.validate(steps, as: \.steps)
  }

  /// The package's settings with every combination; as they are where nothing was given. What has no steps is not tried at several.
  func all(of package: ModelPackage) -> [GenerationDefaults] {
    let configuration = package.configuration
    let steps = configuration.model.sampler.kind.hasSteps ? steps : []
    return configuration.generation.with(temperature, as: \.temperature)
      .flatMap { $0.with(contextNoise, as: \.contextNoise) }.flatMap { $0.with(steps, as: \.steps) }
  }
}

extension GenerationDefaults {
  /// With each of the values in turn; as they are where there is none.
  func with<Value>(_ values: [Value], as setting: WritableKeyPath<GenerationDefaults, Value>)
    -> [GenerationDefaults]
  {
    guard !values.isEmpty else { return [self] }
    return values.map { value in
      var changed = self
      changed[keyPath: setting] = value
      return changed
    }
  }
}
