import LegatoNN

/// Fréchet distance of two Gaussians (Dowson and Landau, 1982): |μ₁ − μ₂|² + Tr S₁ + Tr S₂ − 2 Tr √(S₁ S₂).
///
/// The last trace is the sum of the square roots of the eigenvalues of Lᵀ S₂ L with S₁ = L Lᵀ, a symmetric matrix without
/// negative ones and with those of √S₁ S₂ √S₁: no complex numbers, no general matrix square root. Never negative.
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
    let (factor, rank) = (reference.factor, reference.rank)
    let half = Matrix.transposedProduct(covariance, factor, rows: d, d, rank)
    let product = Matrix.transposedProduct(factor, half, rows: d, rank, rank, isSymmetric: true)
    self.init(
      meanTerm: zip(reference.statistics.mean, other.mean).reduce(0) {
        $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
      },
      traces: (0..<d).reduce(0) { $0 + covariance[$1 * d + $1] } + reference.trace,
      product: product, size: rank, referenceCount: reference.statistics.count, count: other.count,
      dimension: d)
  }

  /// - Parameter product: `[size, size]`, symmetric, with the eigenvalues of S₁ S₂ that are not 0.
  init(
    meanTerm: Double, traces: Double, product: [Double], size: Int, referenceCount: Int, count: Int,
    dimension: Int
  ) {
    let values = size > 0 ? SymmetricEigen.values(product, size: size) : []
    self.meanTerm = meanTerm
    covarianceTerm = max(0, traces - 2 * values.reduce(0) { $0 + max($1, 0).squareRoot() })
    value = meanTerm + covarianceTerm
    (self.referenceCount, self.count, self.dimension) = (referenceCount, count, dimension)
  }

  /// What makes the number unreliable, if anything: with n ≤ d the covariance has no full rank.
  public var warning: String? {
    let fewest = min(count, referenceCount)
    guard fewest <= dimension else { return nil }
    return
      "only \(fewest) vectors for \(dimension) dimensions: the distance is biased upwards; use more, or project to fewer dimensions"
  }

  /// The reference with a factor of its covariance, made once for many comparisons.
  public struct Reference: Sendable {
    public let statistics: GaussianStatistics
    /// L with S = L Lᵀ, `[d, rank]`.
    let factor: [Double]
    let rank: Int
    let trace: Double

    public init(_ statistics: GaussianStatistics) {
      self.statistics = statistics
      let d = statistics.dimension
      let (rows, rank) = Matrix.factor(statistics.covariance, d)
      factor = Matrix.transposed(rows, rank, d)
      self.rank = rank
      trace = statistics.variance.reduce(0, +)
    }
  }
}
