import LegatoNN

/// A figure with its interval.
public struct Estimate: Sendable, Codable, Hashable {
  public var value: Double
  /// 95 % interval; nil where there are too few independent samples for one.
  public var low: Double?
  public var high: Double?
  public var standardError: Double?
  /// Of the standard error.
  public var freedom: Int?

  enum CodingKeys: String, CodingKey {
    case value, low, high
    case freedom = "degrees_of_freedom"
    case standardError = "standard_error"
  }

  public init(_ value: Double, low: Double? = nil, high: Double? = nil) {
    (self.value, self.low, self.high) = (value, low, high)
  }

  /// Around a value, with a standard error of so many degrees of freedom.
  public init(_ value: Double, standardError: Double, freedom: Int) {
    let width = StudentT.twoSided95(freedom: freedom) * standardError
    self.init(value, low: value - width, high: value + width)
    (self.standardError, self.freedom) = (standardError, freedom)
  }

  /// Quotient of two independent positive figures, its interval that of their logarithms (delta method; degrees of freedom by Welch and
  /// Satterthwaite).
  public init?(_ value: Estimate, dividedBy other: Estimate) {
    guard value.value > 0, other.value > 0 else { return nil }
    let quotient = value.value / other.value
    guard let a = value.standardError, let b = other.standardError else {
      self.init(quotient)
      return
    }
    let (x, y) = (a * a / (value.value * value.value), b * b / (other.value * other.value))
    let relative = (x + y).squareRoot()
    var (t, freedom) = (1.959964, Int?.none)
    if let m = value.freedom, let n = other.freedom, x + y > 0 {
      let welch = max(1, Int((x + y) * (x + y) / (x * x / Double(m) + y * y / Double(n))))
      t = StudentT.twoSided95(freedom: welch)
      freedom = welch
    }
    let factor = Double.exponential(t * relative)
    self.init(quotient, low: quotient / factor, high: quotient * factor)
    (standardError, self.freedom) = (quotient * relative, freedom)
  }

  /// Mean of independent samples, by Student's t; nil for none, no interval for one.
  public init?(meanOf samples: [Double]) {
    guard let mean = Statistics.mean(samples) else { return nil }
    guard samples.count > 1 else {
      self.init(mean)
      return
    }
    let deviation = Statistics.deviation(samples) ?? 0
    self.init(
      mean, standardError: deviation / Double(samples.count).squareRoot(), freedom: samples.count - 1)
  }

  /// Geometric mean of independent positive samples, its interval that of their logarithms, which stays above 0; the arithmetic one
  /// where a sample is 0 or less. Nil for none, no interval for one.
  public init?(geometricMeanOf samples: [Double]) {
    guard samples.allSatisfy({ $0 > 0 }),
      let logarithm = Estimate(meanOf: samples.map { Double.logarithm($0) })
    else {
      self.init(meanOf: samples)
      return
    }
    self.init(
      Double.exponential(logarithm.value), low: logarithm.low.map { Double.exponential($0) },
      high: logarithm.high.map { Double.exponential($0) })
    (standardError, freedom) = (logarithm.standardError.map { $0 * value }, logarithm.freedom)
  }

  /// A statistic of n independent samples by the jackknife (Tukey, 1958).
  ///
  /// - Parameter leavingOneOut: the statistic without each sample; fewer than two give no interval.
  public init(_ value: Double, leavingOneOut: [Double]) {
    let n = leavingOneOut.count
    guard n > 1, let mean = Statistics.mean(leavingOneOut) else {
      self.init(value)
      return
    }
    let sum = leavingOneOut.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.init(value, standardError: (sum * Double(n - 1) / Double(n)).squareRoot(), freedom: n - 1)
  }

  /// The same of a positive statistic, whose logarithm is taken to be the more regular; its interval is positive too.
  public init(positive value: Double, leavingOneOut: [Double]) {
    guard value > 0, leavingOneOut.allSatisfy({ $0 > 0 }) else {
      self.init(value, leavingOneOut: leavingOneOut)
      low = low.map { max(0, $0) }
      return
    }
    let logarithm = Estimate(
      Double.logarithm(value), leavingOneOut: leavingOneOut.map { Double.logarithm($0) })
    self.init(
      value, low: logarithm.low.map { Double.exponential($0) },
      high: logarithm.high.map { Double.exponential($0) })
    (standardError, freedom) = (logarithm.standardError.map { $0 * value }, logarithm.freedom)
  }

}

/// Elementary statistics.
public enum Statistics {
  public static func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// Standard deviation with n − 1; nil for fewer than two values.
  public static func deviation(_ values: [Double]) -> Double? {
    guard values.count > 1, let mean = mean(values) else { return nil }
    return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
  }

  /// Interpolated between order statistics; nil for no values.
  public static func quantile(_ values: [Double], _ share: Double) -> Double? {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let place = share * Double(sorted.count - 1)
    let below = Int(place.rounded(.down))
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
  }

  public static func median(_ values: [Double]) -> Double? { quantile(values, 0.5) }

  /// Slope of the least-squares line; nil for fewer than two places.
  public static func slope(_ x: [Double], _ y: [Double]) -> Double? {
    precondition(x.count == y.count, "Statistics.slope: \(x.count) x and \(y.count) y")
    guard let (middle, mean) = Self.mean(x).flatMap({ a in Self.mean(y).map { (a, $0) } }) else { return nil }
    let spread = x.reduce(0) { $0 + ($1 - middle) * ($1 - middle) }
    guard spread > 0 else { return nil }
    return zip(x, y).reduce(0) { $0 + ($1.0 - middle) * ($1.1 - mean) } / spread
  }

  /// Wilson's 95 % interval of a share: `successes` of `count` independent trials.
  public static func share(_ successes: Int, of count: Int) -> Estimate? {
    guard count > 0 else { return nil }
    let (n, p, z) = (Double(count), Double(successes) / Double(count), 1.959964)
    let middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    let width = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return Estimate(p, low: max(0, middle - width), high: min(1, middle + width))
  }
}

/// Student's distribution.
enum StudentT {
  /// The value that |t| exceeds with 5 %.
  static func twoSided95(freedom: Int) -> Double {
    precondition(freedom > 0, "StudentT: \(freedom) degrees of freedom")
    let exact = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060]
    if freedom <= exact.count { return exact[freedom - 1] }
    // Expansion in 1/n (Abramowitz and Stegun, 26.7.5).
    let (z, n) = (1.959964, Double(freedom))
    let (z3, z5) = (z * z * z, z * z * z * z * z)
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n)
      + (3 * z5 * z * z + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n)
  }
}
