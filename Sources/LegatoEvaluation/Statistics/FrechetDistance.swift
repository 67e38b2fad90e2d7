import LegatoNN

/// Fréchet distance of two Gaussians (Dowson and Landau, 1982): |μ₁ − μ₂|² + Tr S₁ + Tr S₂ − 2 Tr √(S₁ S₂).
///
/// The last trace is the sum of the square roots of the eigenvalues of √S₁ S₂ √S₁, a symmetric matrix without
/// negative ones: no complex numbers, no general matrix square root. Never negative.
public struct FrechetDistance: Sendable, Hashable, Codable {
  public let value: Double
  /// |μ₁ − μ₂|².
  public let meanTerm: Double
  /// What is left: the difference of the covariances.
  public let covarianceTerm: Double
  public let referenceCount: Int
  public let count: Int
  public let dimension: Int

  enum CodingKeys: String, CodingKey {
    case value, count, dimension
    case meanTerm = "mean_term"
    case covarianceTerm = "covariance_term"
    case referenceCount = "reference_count"
  }

  public init(reference: GaussianStatistics, _ other: GaussianStatistics) {
    self.init(reference: Reference(reference), other)
  }

  public init(reference: Reference, _ other: GaussianStatistics) {
    let d = reference.statistics.dimension
    precondition(other.dimension == d, "FrechetDistance: dimensions \(d) and \(other.dimension)")
    let covariance = other.covariance
    let product = Matrix.product(Matrix.product(reference.root, covariance, d), reference.root, d)
    let trace = SymmetricEigen(product, size: d).values.reduce(0) { $0 + max($1, 0).squareRoot() }
    meanTerm = zip(reference.statistics.mean, other.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let traces =
      (0..<d).reduce(0) { $0 + covariance[$1 * d + $1] } + reference.statistics.variance.reduce(0, +)
    covarianceTerm = max(0, traces - 2 * trace)
    value = meanTerm + covarianceTerm
    referenceCount = reference.statistics.count
    count = other.count
    dimension = d
  }

  /// What makes the number unreliable, if anything: with n ≤ d the covariance has no full rank.
  public var warning: String? {
    let fewest = min(count, referenceCount)
    guard fewest <= dimension else { return nil }
    return
      "only \(fewest) vectors for \(dimension) dimensions: the distance is biased upwards; use more, or project to fewer dimensions"
  }

  /// The reference with the square root of its covariance, made once for many comparisons.
  public struct Reference: Sendable {
    public let statistics: GaussianStatistics
    /// √S, symmetric, `[d, d]`.
    let root: [Double]

    public init(_ statistics: GaussianStatistics) {
      self.statistics = statistics
      let d = statistics.dimension
      let eigen = SymmetricEigen(statistics.covariance, size: d)
      var scaled = eigen.vectors
      for k in 0..<d {
        let factor = max(eigen.values[k], 0).squareRoot().squareRoot()
        for j in 0..<d { scaled[k * d + j] *= factor }
      }
      root = Matrix.gram(scaled, d)
    }
  }
}

/// Products of small Float64 matrices, row-major.
enum Matrix {
  /// a · b, all `[n, n]`.
  static func product(_ a: [Double], _ b: [Double], _ n: Int) -> [Double] {
    var c = [Double](repeating: 0, count: n * n)
    c.withUnsafeMutableBufferPointer { c in
      for i in 0..<n {
        for k in 0..<n {
          let x = a[i * n + k]
          for j in 0..<n { c[i * n + j] += x * b[k * n + j] }
        }
      }
    }
    return c
  }

  /// Σ over rows of the outer product of each row of `[n, n]` with itself.
  static func gram(_ rows: [Double], _ n: Int) -> [Double] {
    var c = [Double](repeating: 0, count: n * n)
    c.withUnsafeMutableBufferPointer { c in
      for k in 0..<n {
        for i in 0..<n {
          let x = rows[k * n + i]
          for j in 0..<n { c[i * n + j] += x * rows[k * n + j] }
        }
      }
    }
    return c
  }
}
