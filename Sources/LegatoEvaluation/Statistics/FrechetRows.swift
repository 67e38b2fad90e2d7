/// Rows that a set's Fréchet distance from a reference, and that of any part of it, is computed from.
///
/// With S₁ = L Lᵀ, Tr √(S₁ S₂) is the sum of the singular values of the centred rows times L, divided by √(n − 1): the
/// square roots of the eigenvalues of their covariance or, where it is smaller, of their Gram matrix. So a few rows of many
/// dimensions cost little, and all rows are multiplied by L once for any number of parts.
public struct FrechetRows: Sendable {
  private let reference: Reference
  /// `[n, dimension]`.
  private let rows: [Float]
  /// The same, less the reference's mean, times L: `[n, rank]`.
  private let projected: [Double]

  public var count: Int { rows.count / reference.dimension }
  /// Whether one distance takes seconds.
  var isLarge: Bool { min(count, reference.rank) > SoundComparison.large }

  /// - Parameter rows: `[n, dimension]`.
  public init(_ rows: [Float], reference: Reference) {
    let d = reference.dimension
    precondition(rows.count % d == 0, "FrechetRows: \(rows.count) values for rows of \(d)")
    (self.rows, self.reference) = (rows, reference)
    let n = rows.count / d
    let centred = rows.indices.map { Double(rows[$0]) - reference.mean[$0 % d] }
    projected = Matrix.transposedProduct(
      Matrix.transposed(centred, n, d), reference.factor, rows: d, n, reference.rank)
  }

  /// The distance of some of the rows, of which one may come several times; nil for fewer than two.
  public func distance(of indices: some Collection<Int>) -> FrechetDistance? {
    let (n, d, rank) = (indices.count, reference.dimension, reference.rank)
    guard n > 1 else { return nil }
    let (mean, trace) = moments(of: indices)
    var centre = [Double](repeating: 0, count: rank)
    for row in indices { for j in 0..<rank { centre[j] += projected[row * rank + j] } }
    for j in 0..<rank { centre[j] /= Double(n) }
    let scale = 1 / Double(n - 1).squareRoot()
    var parts: [Double] = []
    parts.reserveCapacity(n * rank)
    for row in indices { for j in 0..<rank { parts.append((projected[row * rank + j] - centre[j]) * scale) } }
    let product =
      n < rank
      ? Matrix.transposedProduct(
        Matrix.transposed(parts, n, rank), Matrix.transposed(parts, n, rank), rows: rank, n, n,
        isSymmetric: true)
      : Matrix.transposedProduct(parts, parts, rows: n, rank, rank, isSymmetric: true)
    return FrechetDistance(
      meanTerm: zip(mean, reference.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) },
      traces: trace + reference.trace, product: product, size: min(n, rank),
      referenceCount: reference.count, count: n, dimension: d)
  }

  /// The distance of all rows; nil for fewer than two.
  public var whole: FrechetDistance? { distance(of: 0..<count) }

  /// Mean, and trace of the covariance, in two passes.
  private func moments(of indices: some Collection<Int>) -> (mean: [Double], trace: Double) {
    let (n, d) = (Double(indices.count), reference.dimension)
    var mean = [Double](repeating: 0, count: d)
    for row in indices { for j in 0..<d { mean[j] += Double(rows[row * d + j]) } }
    for j in 0..<d { mean[j] /= n }
    var sum = 0.0
    for row in indices {
      for j in 0..<d {
        let difference = Double(rows[row * d + j]) - mean[j]
        sum += difference * difference
      }
    }
    return (mean, sum / (n - 1))
  }

  /// The reference's mean and a factor of its covariance.
  public struct Reference: Sendable {
    public let dimension: Int
    public let count: Int
    let mean: [Double]
    let trace: Double
    /// L with S = L Lᵀ, `[dimension, rank]`.
    let factor: [Double]
    let rank: Int

    /// Nil for fewer than two rows.
    ///
    /// - Parameter rows: `[n, dimension]`.
    public init?(_ rows: [Float], dimension d: Int) {
      precondition(d > 0 && rows.count % d == 0, "FrechetRows: \(rows.count) values for rows of \(d)")
      let n = rows.count / d
      guard n > 1 else { return nil }
      var mean = [Double](repeating: 0, count: d)
      for row in 0..<n { for j in 0..<d { mean[j] += Double(rows[row * d + j]) } }
      for j in 0..<d { mean[j] /= Double(n) }
      let scale = 1 / Double(n - 1).squareRoot()
      let centred = rows.indices.map { (Double(rows[$0]) - mean[$0 % d]) * scale }
      if n <= d {
        // The rows are a factor themselves, and lose nothing by being squared.
        (factor, rank) = (Matrix.transposed(centred, n, d), n)
      } else {
        let covariance = Matrix.transposedProduct(centred, centred, rows: n, d, d, isSymmetric: true)
        let (found, rank) = Matrix.factor(covariance, d)
        (factor, self.rank) = (Matrix.transposed(found, rank, d), rank)
      }
      trace = centred.reduce(0) { $0 + $1 * $1 }
      (self.mean, count, dimension) = (mean, n, d)
    }
  }
}
