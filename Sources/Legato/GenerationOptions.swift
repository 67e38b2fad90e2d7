import LegatoModels

/// What a listener may turn while the music plays.
public struct GenerationOptions: Sendable, Hashable {
  /// The same seed gives the same bytes on one instruction set, at any number of threads.
  public var seed: UInt64
  /// Standard deviation of the noise that a latent starts from: lower is plainer, higher wilder.
  public var temperature: Float
  /// Euler steps of the sampler for a latent.
  public var steps: Int
  /// Share of noise mixed into a latent before it is fed back; what keeps long streams from drifting.
  public var contextNoise: Float

  public init(seed: UInt64 = 0, defaults: GenerationDefaults = GenerationDefaults()) {
    self.seed = seed
    temperature = defaults.temperature
    steps = defaults.steps
    contextNoise = defaults.contextNoise
  }

  /// What is wrong with these numbers, in words; nil where nothing is.
  public var problem: String? {
    if !(0...10).contains(temperature) { return "temperature is \(temperature); it must be from 0 to 10" }
    if !(1...1000).contains(steps) { return "steps is \(steps); it must be from 1 to 1000" }
    if !(0...1).contains(contextNoise) { return "context noise is \(contextNoise); it must be from 0 to 1" }
    return nil
  }
}

/// A request that cannot be met: what, and what to do.
public struct GenerationError: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
