import LegatoNN
import LegatoTensor

/// Mean and covariance of the latents of some music: enough to tell whose latents a recording's are like.
public struct LatentStatistics: Sendable, Hashable {
  /// `[dimension]`.
  public let mean: [Float]
  /// `[dimension, dimension]`, symmetric and positive definite.
  public let covariance: [Float]
  /// L with L Lᵀ = covariance, row-major.
  private let factor: [Double]
  private let logDeterminant: Double

  public var dimension: Int { mean.count }

  /// Nil where the covariance is not positive definite, or a number is not finite.
  public init?(mean: [Float], covariance: [Float]) {
    let n = mean.count
    guard n > 0, covariance.count == n * n, (mean + covariance).allSatisfy(\.isFinite) else { return nil }
    var l = [Double](repeating: 0, count: n * n)
    var logarithms = 0.0
    for i in 0..<n {
      for j in 0...i {
        var sum = Double(covariance[i * n + j])
        for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
        if i == j {
          guard sum > 0 else { return nil }
          l[i * n + i] = sum.squareRoot()
          logarithms += Double.logarithm(sum)
        } else {
          l[i * n + j] = sum / l[j * n + j]
        }
      }
    }
    (self.mean, self.covariance, factor, logDeterminant) = (mean, covariance, l, logarithms)
  }

  /// Of latents `[count, dimension]`; nil of fewer than two. What hardly varies is given a little variance.
  public init?(of latents: [Float], dimension: Int) {
    guard dimension > 0, latents.count >= 2 * dimension else { return nil }
    let statistics = GaussianStatistics(
      rows: Array(latents.prefix(latents.count / dimension * dimension)), dimension: dimension)
    var covariance = statistics.covariance.map { Float($0) }
    for d in 0..<dimension { covariance[d * dimension + d] += Self.floor }
    self.init(mean: statistics.mean.map { Float($0) }, covariance: covariance)
  }

  private static let floor: Float = 1e-3

  /// Mean squared Mahalanobis distance of latents `[count, dimension]`, count > 0: about `dimension` for the music that these
  /// are the statistics of.
  public func distance(to latents: [Float]) -> Double {
    let n = dimension
    let count = latents.count / n
    var (sum, y) = (0.0, [Double](repeating: 0, count: n))
    for frame in 0..<count {
      for i in 0..<n {
        var value = Double(latents[frame * n + i] - mean[i])
        for k in 0..<i { value -= factor[i * n + k] * y[k] }
        y[i] = value / factor[i * n + i]
        sum += y[i] * y[i]
      }
    }
    return sum / Double(max(1, count))
  }

  /// Mean log-likelihood of a latent under a Gaussian of these statistics, without its constant.
  public func logLikelihood(of latents: [Float]) -> Double { -(distance(to: latents) + logDeterminant) / 2 }
}
