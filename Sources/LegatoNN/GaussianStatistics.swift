/// Mean and covariance of rows in Float64, gathered in any number of parts and merged.
public struct GaussianStatistics: Sendable, Hashable {
  public let dimension: Int
  public private(set) var count = 0
  public private(set) var mean: [Double]
  /// Sum of outer products of the centred rows, `[dimension, dimension]`.
  private var scatter: [Double]

  public init(dimension: Int) {
    precondition(dimension > 0, "GaussianStatistics: dimension is \(dimension)")
    self.dimension = dimension
    mean = [Double](repeating: 0, count: dimension)
    scatter = [Double](repeating: 0, count: dimension * dimension)
  }

  /// Statistics of rows `[n, dimension]`.
  public init(rows: [Float], dimension: Int) {
    self.init(dimension: dimension)
    add(rows)
  }

  /// A Gaussian that is known: for tests and for statistics from elsewhere.
  public init(count: Int, mean: [Double], covariance: [Double]) {
    self.init(dimension: mean.count)
    precondition(
      count > 1 && covariance.count == mean.count * mean.count, "GaussianStatistics: shapes do not fit")
    self.count = count
    self.mean = mean
    scatter = covariance.map { $0 * Double(count - 1) }
  }

  /// Covariance with n − 1, row-major; zeros for fewer than two rows.
  public var covariance: [Double] { scatter.map { count > 1 ? $0 / Double(count - 1) : 0 } }
  /// Diagonal of the covariance.
  public var variance: [Double] {
    (0..<dimension).map { count > 1 ? scatter[$0 * dimension + $0] / Double(count - 1) : 0 }
  }

  /// Adds rows `[n, dimension]`.
  public mutating func add(_ rows: [Float]) {
    precondition(
      rows.count % dimension == 0, "GaussianStatistics.add: \(rows.count) values for rows of \(dimension)")
    rows.withUnsafeBufferPointer { add($0) }
  }

  /// Adds rows `[n, dimension]`.
  public mutating func add(_ rows: UnsafeBufferPointer<Float>) {
    let blockRows = 256
    let total = rows.count / dimension
    for first in stride(from: 0, to: total, by: blockRows) {
      let end = min(total, first + blockRows)
      merge(Self.block(UnsafeBufferPointer(rebasing: rows[first * dimension..<end * dimension]), dimension))
    }
  }

  /// Two passes over a few rows: mean first, so that nothing cancels.
  private static func block(_ rows: UnsafeBufferPointer<Float>, _ d: Int) -> GaussianStatistics {
    var result = GaussianStatistics(dimension: d)
    let n = rows.count / d
    result.count = n
    for row in 0..<n { for j in 0..<d { result.mean[j] += Double(rows[row * d + j]) } }
    for j in 0..<d { result.mean[j] /= Double(n) }
    let mean = result.mean
    var centred = [Double](repeating: 0, count: d)
    result.scatter.withUnsafeMutableBufferPointer { scatter in
      for row in 0..<n {
        for j in 0..<d { centred[j] = Double(rows[row * d + j]) - mean[j] }
        for i in 0..<d {
          let c = centred[i]
          for j in i..<d { scatter[i * d + j] += c * centred[j] }
        }
      }
      for i in 0..<d { for j in 0..<i { scatter[i * d + j] = scatter[j * d + i] } }
    }
    return result
  }

  /// Adds other rows' statistics (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm", 1979).
  public mutating func merge(_ other: GaussianStatistics) {
    precondition(
      other.dimension == dimension, "GaussianStatistics.merge: \(other.dimension) is not \(dimension)")
    guard other.count > 0 else { return }
    guard count > 0 else {
      self = other
      return
    }
    let (n, m) = (Double(count), Double(other.count))
    let delta = zip(other.mean, mean).map { $0 - $1 }
    for i in 0..<dimension {
      for j in 0..<dimension {
        scatter[i * dimension + j] += other.scatter[i * dimension + j] + delta[i] * delta[j] * n * m / (n + m)
      }
      mean[i] += delta[i] * m / (n + m)
    }
    count += other.count
  }
}
