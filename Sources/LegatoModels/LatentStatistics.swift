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
    let count = dimension > 0 ? latents.count / dimension : 0
    guard count >= 2 else { return nil }
    var sums = [Double](repeating: 0, count: dimension)
    for i in 0..<count { for d in 0..<dimension { sums[d] += Double(latents[i * dimension + d]) } }
    let mean = sums.map { $0 / Double(count) }
    var products = [Double](repeating: 0, count: dimension * dimension)
    var centred = [Double](repeating: 0, count: dimension)
    for i in 0..<count {
      for d in 0..<dimension { centred[d] = Double(latents[i * dimension + d]) - mean[d] }
      for a in 0..<dimension {
        let value = centred[a]
        for b in 0...a { products[a * dimension + b] += value * centred[b] }
      }
    }
    var covariance = [Float](repeating: 0, count: dimension * dimension)
    for a in 0..<dimension {
      for b in 0...a {
        let value = Float(products[a * dimension + b] / Double(count) + (a == b ? Self.floor : 0))
        covariance[a * dimension + b] = value
        covariance[b * dimension + a] = value
      }
    }
    self.init(mean: mean.map { Float($0) }, covariance: covariance)
  }

  private static let floor = 1e-3

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
