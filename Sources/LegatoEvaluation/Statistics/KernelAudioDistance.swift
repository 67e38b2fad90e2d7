/// Kernel audio distance (Chung et al., "KAD: no more FAD!", arXiv 2502.15602; github.com/YoonjinXD/kadtk): 100 times the
/// unbiased squared maximum mean discrepancy of all rows with the Gaussian kernel exp(−|x − y|² / (2 σ²)), σ the median
/// distance between rows of the reference. May be negative.
///
/// kadtk's code takes σ from the candidate's rows against its description (its issue 9), so that each candidate is measured
/// with another kernel; we do as described. ``MaximumMeanDiscrepancy/Sums/value(leavingOut:ofReference:)`` leaves pairs
/// within a recording out, which are likelier alike; this counts them, as kadtk does.
public struct KernelAudioDistance: Sendable {
  public static let scale = 100.0
  /// Rows of a set that count, at most, evenly thinned.
  public static let limit = 4000

  private let discrepancy: MaximumMeanDiscrepancy

  /// Nil for fewer than two rows.
  ///
  /// - Parameter reference: rows `[n, dimension]` of each recording.
  public init?(reference: [[Float]], dimension: Int) {
    guard
      let discrepancy = MaximumMeanDiscrepancy(
        reference: reference, dimension: dimension, limit: Self.limit)
    else { return nil }
    self.discrepancy = discrepancy
  }

  /// σ.
  public var bandwidth: Double { discrepancy.bandwidth }

  /// The distance, and without each group of recordings; nil for fewer than two rows.
  ///
  /// - Parameters:
  ///   - recordings: rows `[n, dimension]` of each.
  ///   - groups: indices of recordings.
  public func distance(_ recordings: [[Float]], leavingOut groups: [[Int]] = []) -> (
    value: Double, without: [Double]
  )? {
    let sums = discrepancy.sums(recordings, limit: Self.limit)
    let values = sums.valuesOfAllPairs(leavingOut: [[]] + groups)
    guard let value = values.first.flatMap({ $0 }) else { return nil }
    return (Self.scale * value, values.dropFirst().compactMap { $0.map { Self.scale * $0 } })
  }
}
