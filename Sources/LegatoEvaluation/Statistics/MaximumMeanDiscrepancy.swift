import Foundation

/// Unbiased squared maximum mean discrepancy (Gretton et al., "A kernel two-sample test", 2012) with the Gaussian
/// kernel exp(−|x − y|² / (2 σ²)); σ is the median distance between rows of the reference. May be slightly negative.
public enum MaximumMeanDiscrepancy {
  /// Rows `[n, dimension]` of both sets, each thinned evenly to at most `limit`; nil for fewer than two rows.
  public static func unbiased(reference: [Float], _ other: [Float], dimension: Int, limit: Int = 1000)
    -> Double?
  {
    let x = thinned(reference, dimension, limit)
    let y = thinned(other, dimension, limit)
    guard x.count > 1, y.count > 1 else { return nil }
    var within: [Double] = []
    for i in x.indices { for j in 0..<i { within.append(squaredDistance(x[i], x[j])) } }
    let median = within.sorted()[within.count / 2]
    let scale = median > 0 ? -0.5 / median : -0.5
    let first = within.reduce(0) { $0 + exp(scale * $1) } / Double(within.count)
    var second = 0.0
    for i in y.indices { for j in 0..<i { second += exp(scale * squaredDistance(y[i], y[j])) } }
    second /= Double(y.count * (y.count - 1) / 2)
    var between = 0.0
    for a in x { for b in y { between += exp(scale * squaredDistance(a, b)) } }
    return first + second - 2 * between / Double(x.count * y.count)
  }

  private static func thinned(_ rows: [Float], _ d: Int, _ limit: Int) -> [ArraySlice<Float>] {
    let count = rows.count / d
    let kept = min(count, limit)
    return (0..<kept).map { index in
      let row = index * count / kept
      return rows[row * d..<(row + 1) * d]
    }
  }

  private static func squaredDistance(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
    zip(a, b).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
  }
}
