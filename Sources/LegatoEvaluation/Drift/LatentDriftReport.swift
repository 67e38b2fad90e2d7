/// How far generated latents are from real ones, by position in the generation.
///
/// Time is cut into bins. In each, the latents of all rollouts together are compared with the reference by the
/// Fréchet distance, optionally on its first principal components; each rollout alone gives the spread. Numbers of
/// few latents are biased upwards, hence the two floors: real music of the same length, measured in the same way.
public struct LatentDriftReport: Sendable, Codable, Hashable {
  public struct Bin: Sendable, Codable, Hashable {
    /// Seconds from the rollout's start.
    public var start: Double
    public var end: Double
    /// Latents of all rollouts in the bin.
    public var frames: Int
    /// Of all rollouts together.
    public var distance: FrechetDistance
    /// Of each rollout that reaches the bin's end, in the order of `rollouts`; nil for those that do not.
    public var rolloutDistances: [Double?]
    /// Root of the mean variance over dimensions, divided by the reference's: 1 is as lively as real music.
    public var deviationRatio: Double
    /// Distance between the means, |μ − μ_ref|.
    public var meanShift: Double

    public var rolloutMean: Double? { Self.mean(rolloutDistances.compactMap { $0 }) }
    /// Standard deviation over the rollouts, with n − 1; nil for fewer than two.
    public var rolloutDeviation: Double? {
      let values = rolloutDistances.compactMap { $0 }
      guard values.count > 1, let mean = Self.mean(values) else { return nil }
      return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
    }

    static func mean(_ values: [Double]) -> Double? {
      values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    enum CodingKeys: String, CodingKey {
      case start, end, frames, distance
      case rolloutDistances = "rollout_distances"
      case deviationRatio = "deviation_ratio"
      case meanShift = "mean_shift"
    }
  }

  public var binSeconds: Double
  public var frameRate: Double
  /// Of the latents.
  public var dimension: Int
  /// Principal components that were compared; nil for all dimensions.
  public var components: Int?
  /// Share of the reference's variance in them.
  public var explainedVariance: Double
  public var referenceFrames: Int
  public var rollouts: [String]
  public var bins: [Bin]
  /// Mean distance of one bin's length of real music: what a single rollout can reach.
  public var rolloutFloor: Double?
  /// Distance of as many real latents as a full bin of all rollouts holds: what the rollouts together can reach.
  public var pooledFloor: Double?
  public var warnings: [String]

  enum CodingKeys: String, CodingKey {
    case dimension, components, rollouts, bins, warnings
    case binSeconds = "bin_seconds"
    case frameRate = "frame_rate"
    case explainedVariance = "explained_variance"
    case referenceFrames = "reference_frames"
    case rolloutFloor = "rollout_floor"
    case pooledFloor = "pooled_floor"
  }
}
