import LegatoModels

/// What a listener may turn while the music plays.
public struct GenerationOptions: Sendable, Hashable {
  /// The same seed gives the same bytes on one instruction set, at any number of threads.
  public var seed: UInt64
  /// Factor of the noise that a latent is made from: lower is plainer, higher wilder.
  public var temperature: Float
  /// Evaluations of the sampler for a latent; a mixture and codes have none.
  public var steps: Int
  /// Share of noise mixed into a latent before it is fed back; what keeps long streams from drifting.
  public var contextNoise: Float
  /// How it is mixed: the package's, as in training.
  public var noiseLaw: NoiseLaw
  /// Factor of a latent before noise is mixed in and it is fed back, a prompt's latents included; above 1 it makes up for
  /// energy that draws lack.
  public var feedbackGain: Float
  /// One of ``ModelPackage/styles``, whose factors multiply temperature, context noise and feedback gain; nil for the model without one. It may change while the music plays;
  /// one that does not fit the model is not taken, and reads nil afterwards.
  public var style: Style?

  public init(seed: UInt64 = 0, defaults: GenerationDefaults = GenerationDefaults()) {
    self.seed = seed
    temperature = defaults.temperature
    steps = defaults.steps
    contextNoise = defaults.contextNoise
    noiseLaw = defaults.noiseLaw
    feedbackGain = defaults.feedbackGain
  }

  /// What is wrong with these numbers, in words; nil where nothing is.
  public var problem: String? {
    var numbers = GenerationDefaults()
    numbers.temperature = temperature
    numbers.steps = steps
    numbers.contextNoise = contextNoise
    numbers.feedbackGain = feedbackGain
    return numbers.problem
  }

  /// The same with every number within its range; one that is NaN becomes the default. Without allocation.
  public var held: GenerationOptions {
    func held(_ value: Float, _ range: ClosedRange<Float>, _ otherwise: Float) -> Float {
      value.isNaN ? otherwise : min(max(value, range.lowerBound), range.upperBound)
    }
    let defaults = GenerationDefaults()
    var options = self
    options.temperature = held(temperature, GenerationDefaults.temperatures, defaults.temperature)
    options.steps = min(
      max(steps, GenerationDefaults.stepCounts.lowerBound), GenerationDefaults.stepCounts.upperBound)
    options.contextNoise = held(contextNoise, 0...1, defaults.contextNoise)
    options.feedbackGain = held(feedbackGain, GenerationDefaults.feedbackGains, defaults.feedbackGain)
    return options
  }
}

extension ModelPackage {
  /// The package's own settings, in one of its styles, where it has some: seeds that follow each other take them in turn.
  public func options(seed: UInt64 = 0) -> GenerationOptions {
    var options = GenerationOptions(seed: seed, defaults: configuration.generation)
    if !styles.isEmpty { options.style = styles[Int(seed % UInt64(styles.count))] }
    return options
  }
}

/// A request that cannot be met: what, and what to do.
public struct GenerationError: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
