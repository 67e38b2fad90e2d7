/// Tells classes apart by linear discriminants: classes are Gaussians of one covariance, which is shrunk towards that
/// of independent features (Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
/// matrices", 2004). All classes are equally likely beforehand. Float64, trained in a second.
public struct DiscriminantClassifier: Sendable {
  public let classes: [String]
  /// Share of the shrunk covariance that is the target's.
  public let shrinkage: Double
  private let scale: [Double]
  /// Rows that make the shared covariance the identity, `[d, d]`.
  private let whitening: [Double]
  /// Whitened, one a class.
  private let means: [[Double]]

  /// One example.
  public struct Example: Sendable {
    public var features: [Double]
    public var label: String
    /// Examples of one recording are not independent.
    public var recording: Int

    public init(features: [Double], label: String, recording: Int) {
      (self.features, self.label, self.recording) = (features, label, recording)
    }
  }

  /// - Throws: ``EvaluationError`` for fewer than two classes, or a class with fewer than two examples.
  public init(_ examples: [Example]) throws {
    let groups = Dictionary(grouping: examples, by: \.label)
    classes = groups.keys.sorted()
    guard let d = examples.first?.features.count, classes.count > 1 else {
      throw EvaluationError(
        "the training recordings name \(classes.count) instruments; at least two are needed to tell them apart"
      )
    }
    for name in classes where (groups[name]?.count ?? 0) < 2 {
      throw EvaluationError("there is only one excerpt of '\(name)' to train on; give more recordings of it")
    }
    precondition(
      examples.allSatisfy { $0.features.count == d }, "DiscriminantClassifier: features differ in count")
    let raw = classes.map { name in Self.mean((groups[name] ?? []).map(\.features), d) }
    var centred: [[Double]] = []
    for (name, mean) in zip(classes, raw) {
      for example in groups[name] ?? [] { centred.append(zip(example.features, mean).map { $0 - $1 }) }
    }
    let n = Double(centred.count)
    let scale = (0..<d).map { j in
      let variance = centred.reduce(0) { $0 + $1[j] * $1[j] } / n
      return variance > 0 ? 1 / variance.squareRoot() : 0
    }
    for index in centred.indices { for j in 0..<d { centred[index][j] *= scale[j] } }
    var covariance = [Double](repeating: 0, count: d * d)
    var fourth = 0.0
    covariance.withUnsafeMutableBufferPointer { covariance in
      for row in centred {
        row.withUnsafeBufferPointer { row in
          var square = 0.0
          for i in 0..<d {
            square += row[i] * row[i]
            for j in 0..<d { covariance[i * d + j] += row[i] * row[j] / n }
          }
          fourth += square * square
        }
      }
    }
    let target = (0..<d).reduce(0) { $0 + covariance[$1 * d + $1] } / Double(d)
    let norm = covariance.reduce(0) { $0 + $1 * $1 }
    let distance = norm - Double(d) * target * target
    // The error of the covariance is that of as many samples as there are recordings, not excerpts.
    let recordings = Double(Set(examples.map(\.recording)).count)
    let error = (fourth / n - norm) / recordings
    shrinkage = distance > 0 ? min(1, max(0.001, error / distance)) : 1
    for index in covariance.indices { covariance[index] *= 1 - shrinkage }
    for i in 0..<d { covariance[i * d + i] += shrinkage * target }
    let eigen = SymmetricEigen(covariance, size: d)
    var whitening = eigen.vectors
    for k in 0..<d {
      let factor = 1 / max(eigen.values[k], 1e-9).squareRoot()
      for j in 0..<d { whitening[k * d + j] *= factor }
    }
    (self.scale, self.whitening) = (scale, whitening)
    means = raw.map { Self.whitened($0, scale, whitening) }
  }

  private static func mean(_ rows: [[Double]], _ d: Int) -> [Double] {
    (0..<d).map { j in rows.reduce(0) { $0 + $1[j] } / Double(max(1, rows.count)) }
  }

  private static func whitened(_ x: [Double], _ scale: [Double], _ whitening: [Double]) -> [Double] {
    let d = x.count
    return (0..<d).map { k in (0..<d).reduce(0) { $0 + whitening[k * d + $1] * x[$1] * scale[$1] } }
  }

  /// Squared Mahalanobis distance to each class, in the order of `classes`.
  public func distances(_ features: [Double]) -> [Double] {
    let place = Self.whitened(features, scale, whitening)
    return means.map { mean in zip(place, mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
  }

  /// The nearest class.
  public func classify(_ features: [Double]) -> String {
    let distances = distances(features)
    return classes[distances.indices.min { distances[$0] < distances[$1] } ?? 0]
  }
}
