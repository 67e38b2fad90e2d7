import LegatoAudio
import LegatoEvaluation

/// What a conversion changed in what a package does, beside what it may change.
public struct ConversionQuality: Sendable, Encodable {
  /// RMS of the velocity's change over RMS of the velocity, both models fed the original's rollouts, noise included.
  public var velocity: Estimate
  /// RMS of the change of the encoder's latents over RMS of the latents.
  public var latents: Estimate
  /// Mel distance of the original codec's copies to the sound.
  public var melDistance: Double
  /// The converted codec's mel distance over it.
  public var melDistanceRatio: Estimate
  /// The same where only the decoder is converted.
  public var decoderRatio: Estimate
  /// What the codec was measured on: a folder, or "the package's own sound".
  public var sound: String
  /// Fréchet distance of latents between sets of rollouts of the original and others of the converted model, by other seeds.
  public var distance: Estimate
  /// The same among the original's sets.
  public var originalDistance: Estimate
  /// The first over the second.
  public var distanceRatio: Estimate
  /// Between rollouts of the same seeds.
  public var sameSeedDistance: Double

  enum CodingKeys: String, CodingKey {
    case velocity, latents, sound, distance
    case melDistance = "mel_distance"
    case melDistanceRatio = "mel_distance_ratio"
    case decoderRatio = "decoder_mel_distance_ratio"
    case originalDistance = "original_distance"
    case distanceRatio = "distance_ratio"
    case sameSeedDistance = "same_seed_distance"
    case passes
  }

  public static let velocityBar = 0.03
  public static let melBar = 1.02

  public var velocityPasses: Bool { velocity.value <= Self.velocityBar }
  public var codecPasses: Bool { melDistanceRatio.value <= Self.melBar }
  /// Whether the converted model is no farther from the original than the original from itself, as far as the sets can tell.
  public var distancePasses: Bool { (distanceRatio.low ?? distanceRatio.value) <= 1 }
  public var passes: Bool { velocityPasses && codecPasses && distancePasses }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(velocity, forKey: .velocity)
    try values.encode(latents, forKey: .latents)
    try values.encode(melDistance, forKey: .melDistance)
    try values.encode(melDistanceRatio, forKey: .melDistanceRatio)
    try values.encode(decoderRatio, forKey: .decoderRatio)
    try values.encode(sound, forKey: .sound)
    try values.encode(distance, forKey: .distance)
    try values.encode(originalDistance, forKey: .originalDistance)
    try values.encode(distanceRatio, forKey: .distanceRatio)
    try values.encode(sameSeedDistance, forKey: .sameSeedDistance)
    try values.encode(passes, forKey: .passes)
  }
}
