import ArgumentParser
import Legato
import LegatoModels

/// How a model is to sound, where not as its package says.
struct GenerationSettings: ParsableArguments {
  @Option(
    help:
      "How daring: 0 to 10, below 1 is plainer, above wilder; a style has a factor of it. (default: the package's)"
  )
  var temperature: Float?

  @Option(help: "Steps to a latent, 1 to 1000: more is finer and slower. (default: the package's)")
  var steps: Int?

  @Option(
    help:
      "Noise mixed into what the model hears of itself, 0 to 1; steadies long pieces; a style has a factor of it. (default: the package's)"
  )
  var contextNoise: Float?

  @Option(
    help:
      "How loud the model hears itself, 0.5 to 2; above 1 keeps long pieces from fading; a style has a factor of it. (default: the package's)"
  )
  var feedbackGain: Float?

  @OptionGroup var style: StyleOption

  func validate() throws {
    var options = GenerationOptions()
    apply(to: &options)
    if let problem = options.problem { throw ValidationError(problem) }
  }

  /// Throws ``CommandError`` where the package lacks the style.
  func options(seed: UInt64, package: ModelPackage) throws -> GenerationOptions {
    var options = try style.options(seed: seed, package: package)
    apply(to: &options)
    return options
  }

  private func apply(to options: inout GenerationOptions) {
    options.temperature = temperature ?? options.temperature
    options.steps = steps ?? options.steps
    options.contextNoise = contextNoise ?? options.contextNoise
    options.feedbackGain = feedbackGain ?? options.feedbackGain
  }
}
