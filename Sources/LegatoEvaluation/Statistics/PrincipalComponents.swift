import LegatoNN
import LegatoTensor

/// Projection to the directions in which a reference varies most.
public struct PrincipalComponents: Sendable {
  public let dimension: Int
  public let components: Int
  /// Share of the reference's variance that the components hold.
  public let explained: Double
  private let mean: [Double]
  /// Unit rows `[components, dimension]`.
  private let basis: [Double]

  /// Fitted on the reference; `components` beyond the dimension are not made.
  public init(fittedOn reference: GaussianStatistics, components: Int) {
    precondition(components > 0, "PrincipalComponents: \(components) components")
    dimension = reference.dimension
    self.components = min(components, dimension)
    let eigen = SymmetricEigen(reference.covariance, size: dimension)
    let total = eigen.values.reduce(0) { $0 + max($1, 0) }
    let kept = eigen.values.prefix(self.components).reduce(0) { $0 + max($1, 0) }
    explained = total > 0 ? kept / total : 1
    mean = reference.mean
    basis = Array(eigen.vectors.prefix(self.components * dimension))
  }

  /// SHA-256 of mean and directions.
  public var digest: String { Digest.sha256((mean + basis).map { Float($0) }) }

  /// Statistics of the projected rows, from those of the rows: the projection is linear.
  public func project(_ statistics: GaussianStatistics) -> GaussianStatistics {
    precondition(statistics.dimension == dimension, "PrincipalComponents: dimension \(statistics.dimension)")
    let (d, k) = (dimension, components)
    guard statistics.count > 1 else { return GaussianStatistics(dimension: k) }
    let covariance = statistics.covariance
    var left = [Double](repeating: 0, count: k * d)
    for c in 0..<k {
      for i in 0..<d {
        let x = basis[c * d + i]
        for j in 0..<d { left[c * d + j] += x * covariance[i * d + j] }
      }
    }
    var projected = [Double](repeating: 0, count: k * k)
    for a in 0..<k {
      for b in 0..<k { for j in 0..<d { projected[a * k + b] += left[a * d + j] * basis[b * d + j] } }
    }
    let centre = (0..<k).map { c in
      (0..<d).reduce(0) { $0 + basis[c * d + $1] * (statistics.mean[$1] - mean[$1]) }
    }
    return GaussianStatistics(count: statistics.count, mean: centre, covariance: projected)
  }

  /// Rows `[n, dimension]` → `[n, components]`.
  public func project(rows: [Float]) -> [Float] {
    precondition(rows.count % dimension == 0, "PrincipalComponents: \(rows.count) values")
    let (d, k) = (dimension, components)
    let count = rows.count / d
    let offset = (0..<k).map { c in (0..<d).reduce(0) { $0 + basis[c * d + $1] * mean[$1] } }
    return [Float](unsafeUninitializedCapacity: count * k) { result, filled in
      rows.withUnsafeBufferPointer { rows in
        basis.withUnsafeBufferPointer { basis in
          for row in 0..<count {
            for c in 0..<k {
              var sum = -offset[c]
              for j in 0..<d { sum += basis[c * d + j] * Double(rows[row * d + j]) }
              result[row * k + c] = Float(sum)
            }
          }
        }
      }
      filled = count * k
    }
  }
}
