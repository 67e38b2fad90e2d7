import LegatoNN

/// A run of latents in time: a piece, or one long generation.
public struct LatentSequence: Sendable {
  /// Shown in reports: a path, a seed.
  public let name: String
  public let dimension: Int
  /// `[frames, dimension]`.
  public let values: [Float]

  public init(name: String, dimension: Int, values: [Float]) {
    precondition(
      dimension > 0 && values.count % dimension == 0,
      "LatentSequence: \(values.count) values of dimension \(dimension)")
    self.name = name
    self.dimension = dimension
    self.values = values
  }

  public var frames: Int { values.count / dimension }

  func statistics(_ range: Range<Int>) -> GaussianStatistics {
    var statistics = GaussianStatistics(dimension: dimension)
    values.withUnsafeBufferPointer {
      statistics.add(
        UnsafeBufferPointer(rebasing: $0[range.lowerBound * dimension..<range.upperBound * dimension]))
    }
    return statistics
  }
}
