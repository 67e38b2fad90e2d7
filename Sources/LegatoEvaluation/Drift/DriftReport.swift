/// How far generated music is from real music, by position: of one model in one setting.
///
/// Time is cut into stretches. In each, the patches of all sounds together are compared with real music, and every
/// sound's figures with the spread of real stretches. Intervals come from the sounds: one is one independent sample.
public struct DriftReport: Sendable, Codable {
  /// One position.
  public struct Stretch: Sendable, Codable {
    /// Seconds from the start.
    public var start: Double
    public var end: Double
    /// All sounds together.
    public var distance: SetDistance
    /// The same on the codec's latents.
    public var latents: SetDistance?
    /// Whether the distance is what as many real recordings reach against the others, 95 % of the time.
    public var distanceIsInside: Bool?
    public var measures: [DriftMeasure: Values]

    enum CodingKeys: String, CodingKey {
      case start, end, distance, latents, measures
      case distanceIsInside = "distance_inside"
    }
  }

  /// A measure at one position.
  public struct Values: Sendable, Codable {
    /// Of each sound, in the order of `sounds`.
    public var sounds: [Double]
    public var median: Double
    public var shareOutside: Double
    /// No more sounds outside of the spread of real stretches than chance allows.
    public var isInside: Bool

    enum CodingKeys: String, CodingKey {
      case sounds, median
      case shareOutside = "share_outside"
      case isInside = "inside"
    }
  }

  /// A measure over the whole length.
  public struct Summary: Sendable, Codable {
    /// A minute; the interval is the sounds'.
    public var slope: Estimate?
    public var stretchesInside: Int
    public var stretches: Int
    /// Mean over sounds of the share of their stretches outside of the spread of real ones.
    public var shareOutside: Double?
    /// What chance allows.
    public var shareAllowed: Double?
    /// Whether it stays inside of the spread of real music.
    public var isInside: Bool

    enum CodingKeys: String, CodingKey {
      case slope, stretches
      case stretchesInside = "stretches_inside"
      case shareOutside = "share_outside"
      case shareAllowed = "share_allowed"
      case isInside = "inside"
    }
  }

  /// What was copied from training recordings.
  public struct Copying: Sendable, Codable {
    public var excerpts: Int
    /// Of excerpts that are nearer to a training excerpt than 99 % of real ones are; 1 % by chance.
    public var share: Double
    /// The sound that holds the closest, and where.
    public var sound: String
    public var closest: ExcerptBank.Match
    /// Of real excerpts, 99 % are farther away.
    public var threshold: Double
    public var isInside: Bool

    enum CodingKeys: String, CodingKey {
      case excerpts, share, sound, closest, threshold
      case isInside = "inside"
    }
  }

  public var name: String
  public var sounds: [String]
  public var stretches: [Stretch]
  /// All stretches of all sounds.
  public var distance: SetDistance
  public var latents: SetDistance?
  /// Mean over stretches of what as many real recordings reach against the others.
  public var floor: DistanceFloor?
  /// A minute, of all sounds together; intervals by leaving out sounds.
  public var frechetSlope: Estimate?
  public var discrepancySlope: Estimate?
  public var latentsSlope: Estimate?
  /// Our own "FADacc".
  public var accumulation: Accumulation?
  public var distanceStretchesInside: Int
  /// Whether the distance of all together stays within what real recordings reach.
  public var distanceIsInside: Bool?
  public var measures: [DriftMeasure: Summary]
  public var copying: Copying?
  /// Fréchet distance of each sound by itself, all of its stretches.
  public var soundDistances: [Double]
  /// Index of the farthest sound.
  public var worst: Int
  /// What says that this is not real music, or not new.
  public var flags: [String] = []

  enum CodingKeys: String, CodingKey {
    case name, sounds, stretches, distance, latents, floor, measures, copying, worst, flags
    case frechetSlope = "frechet_slope"
    case discrepancySlope = "mmd_slope"
    case latentsSlope = "latents_slope"
    case accumulation = "fad_acc"
    case distanceStretchesInside = "distance_stretches_inside"
    case distanceIsInside = "distance_inside"
    case soundDistances = "sound_distances"
  }

  /// What makes figures worth less, once each.
  public var warnings: [String] {
    var found: [String] = []
    if let floor, floor.recordings < sounds.count {
      found.append(
        "\(sounds.count) sounds are held to what groups of \(floor.recordings) real recordings reach, since there are too few for larger ones: they pass too easily; give \(2 * sounds.count) recordings or more"
      )
    }
    let ofStretches = stretches.flatMap { [$0.distance.warning, $0.latents?.warning] }
    for case let warning? in [distance.warning, latents?.warning] + ofStretches
    where !found.contains(warning) {
      found.append(warning)
    }
    return found
  }

  func foundFlags() -> [String] {
    var flags = distanceIsInside == false ? ["distance of all sounds together"] : []
    flags += DriftMeasure.allCases.filter { measures[$0]?.isInside == false }.map(\.label)
    if copying?.isInside == false { flags.append("excerpts of training recordings") }
    return flags
  }
}
