import ArgumentParser
import Legato
import LegatoModels

/// How a model is to sound, where not as its package says.
struct GenerationSettings: ParsableArguments {
  @Option(help: "How daring: 0 to 10, below 1 is plainer, above wilder. (default: the package's)")
  var temperature: Float?

  @Option(help: "Steps to a latent, 1 to 1000: more is finer and slower. (default: the package's)")
  var steps: Int?

  @Option(
    help:
      "Noise mixed into what the model hears of itself, 0 to 1; steadies long pieces. (default: the package's)"
  )
  var contextNoise: Float?

  @Option(
    help:
      "How loud the model hears itself, 0.5 to 2; above 1 keeps long pieces from fading. (default: the package's)"
  )
  var feedbackGain: Float?

  func validate() throws {
    if let problem = options(seed: 0, defaults: GenerationDefaults()).problem {
      throw ValidationError(problem)
    }
  }

  func options(seed: UInt64, defaults: GenerationDefaults) -> GenerationOptions {
    var options = GenerationOptions(seed: seed, defaults: defaults)
    options.temperature = temperature ?? options.temperature
    options.steps = steps ?? options.steps
    options.contextNoise = contextNoise ?? options.contextNoise
    options.feedbackGain = feedbackGain ?? options.feedbackGain
    return options
  }
}
