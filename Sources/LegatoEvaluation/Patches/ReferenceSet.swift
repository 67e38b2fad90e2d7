import LegatoNN
import LegatoTensor

/// Real recordings as rows of an embedding, and how far other sets are from them.
///
/// Rows of one recording resemble each other, so recordings are the independent samples: intervals come from leaving
/// out whole recordings or seeds, never windows.
public struct ReferenceSet: Sendable {
  public let dimension: Int
  /// Rows of each recording.
  let statistics: [GaussianStatistics]
  let rows: [[Float]]
  let discrepancy: MaximumMeanDiscrepancy
  private let whole: FrechetDistance.Reference

  /// - Parameter recordings: rows `[n, dimension]` of each.
  /// - Throws: ``EvaluationError`` for too few rows.
  public init(_ recordings: [[Float]], dimension: Int) throws {
    self.dimension = dimension
    rows = recordings
    statistics = recordings.map { GaussianStatistics(rows: $0, dimension: dimension) }
    let total = Self.merged(statistics)
    guard total.count > dimension,
      let discrepancy = MaximumMeanDiscrepancy(reference: recordings, dimension: dimension)
    else {
      throw EvaluationError(
        "the reference holds \(total.count) samples for \(dimension) dimensions; give more real recordings")
    }
    self.discrepancy = discrepancy
    whole = .init(total)
  }

  public var recordings: Int { statistics.count }
  public var count: Int { whole.statistics.count }
  /// σ of the discrepancy's kernel.
  public var bandwidth: Double { discrepancy.bandwidth }

  static func merged(_ parts: some Sequence<GaussianStatistics>) -> GaussianStatistics {
    var total: GaussianStatistics?
    for part in parts {
      if total == nil { total = part } else { total?.merge(part) }
    }
    return total ?? GaussianStatistics(dimension: 1)
  }

  func reference(leavingOut: Set<Int>) -> FrechetDistance.Reference {
    guard !leavingOut.isEmpty else { return whole }
    return .init(
      Self.merged(statistics.indices.lazy.filter { !leavingOut.contains($0) }.map { statistics[$0] }))
  }

  /// Distances of some recordings, or seeds, together from the reference; the intervals are their jackknife's.
  ///
  /// - Parameters:
  ///   - units: rows `[n, dimension]` of each recording or seed.
  ///   - leavingOut: recordings of the reference that are not compared with: those that are measured themselves.
  public func distance(_ units: [[Float]], leavingOut: Set<Int> = []) -> SetDistance? {
    jackknife(units, leavingOut: leavingOut)?.distance
  }

  func jackknife(_ units: [[Float]], leavingOut: Set<Int>) -> (distance: SetDistance, LeaveOneOut)? {
    let parts = units.map { GaussianStatistics(rows: $0, dimension: dimension) }
    let total = Self.merged(parts)
    let rest = reference(leavingOut: leavingOut)
    guard total.count > 1, rest.statistics.count > 1 else { return nil }
    let frechet = FrechetDistance(reference: rest, total)
    let without = parts.indices.map { left in
      Self.merged(parts.indices.lazy.filter { $0 != left }.map { parts[$0] })
    }.filter { $0.count > 1 }.map { FrechetDistance(reference: rest, $0).value }
    let sums = discrepancy.sums(units)
    let value = sums.value(ofReference: leavingOut)
    let left = units.indices.compactMap { sums.value(leavingOut: [$0], ofReference: leavingOut) }
    return (
      SetDistance(
        units: units.count, samples: total.count,
        frechet: Estimate(positive: frechet.value, leavingOneOut: without),
        discrepancy: value.map { Estimate($0, leavingOneOut: left) }, warning: frechet.warning),
      LeaveOneOut(
        frechet: frechet.value, frechetWithout: without, discrepancy: value, discrepancyWithout: left)
    )
  }

  /// The same without intervals.
  func value(_ units: [[Float]], leavingOut: Set<Int>) -> (frechet: Double, discrepancy: Double?)? {
    let total = Self.merged(units.map { GaussianStatistics(rows: $0, dimension: dimension) })
    guard total.count > 1 else { return nil }
    return (
      FrechetDistance(reference: reference(leavingOut: leavingOut), total).value,
      discrepancy.sums(units, limit: 1000).value(ofReference: leavingOut)
    )
  }

  /// What so many real recordings reach against the others: disjoint groups of the reference, each against the rest.
  ///
  /// - Parameter units: recordings of a group; at most half of the reference.
  public func floor(units: Int) -> DistanceFloor? {
    let size = max(1, min(units, recordings / 2))
    guard recordings >= 2 else { return nil }
    let order = RandomStream(seed: 0, name: "floor").permutation(of: recordings)
    let groups = stride(from: 0, through: recordings - size, by: size).map { Array(order[$0..<$0 + size]) }
    let distances = groups.compactMap { group in distance(group.map { rows[$0] }, leavingOut: Set(group)) }
    guard let frechet = Statistics.mean(distances.map(\.frechet.value)) else { return nil }
    return DistanceFloor(
      recordings: size, groups: distances.count, frechet: frechet,
      frechetHigh: Statistics.quantile(distances.map(\.frechet.value), 0.95) ?? frechet,
      discrepancy: Statistics.mean(distances.compactMap { $0.discrepancy?.value }))
  }
}

/// How far a set of recordings or seeds is from real recordings.
public struct SetDistance: Sendable, Codable, Hashable {
  /// Recordings or seeds.
  public var units: Int
  /// Patches or latents.
  public var samples: Int
  /// Fréchet distance.
  public var frechet: Estimate
  /// Unbiased squared maximum mean discrepancy.
  public var discrepancy: Estimate?
  public var warning: String?

  enum CodingKeys: String, CodingKey {
    case units, samples, warning
    case frechet = "frechet_distance"
    case discrepancy = "mmd"
  }
}

/// What real recordings reach against other real ones.
public struct DistanceFloor: Sendable, Codable, Hashable {
  /// Recordings together.
  public var recordings: Int
  public var groups: Int
  /// Mean over the groups.
  public var frechet: Double
  /// 95 % of groups are nearer.
  public var frechetHigh: Double
  public var discrepancy: Double?

  enum CodingKeys: String, CodingKey {
    case recordings, groups
    case frechet = "frechet_distance"
    case frechetHigh = "frechet_distance_high"
    case discrepancy = "mmd"
  }
}
