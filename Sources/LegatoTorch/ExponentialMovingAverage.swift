import CTorchAPI
import LegatoTensor

/// A smoothed copy of weights: shadow ← decay · shadow + (1 − decay) · weight after each step.
public final class ExponentialMovingAverage {
  public let weights: [Weight]
  public var decay: Float
  private let backend: TorchBackend
  private let shadows: [Tensor]

  /// Starts at the weights' present values.
  public init(_ backend: TorchBackend, _ weights: [Weight], decay: Float) throws {
    self.backend = backend
    self.weights = weights
    self.decay = decay
    shadows = weights.map { weight in
      let tensor = backend.tensor(of: weight)
      return backend.make(shape: weight.shape, "a copy of \(weight.name)") {
        $0.pointee.clone(backend.raw(tensor), &$1)
      }
    }
    try backend.check()
  }

  /// Moves the average towards the present weights.
  ///
  /// - Parameter decay: in place of the average's own, for a warm-up.
  public func update(decay: Float? = nil) throws {
    let (targets, sources) = (shadows.map { Optional(backend.raw($0)) }, backend.handles(weights))
    try backend.run("updating the average of \(sources.count) weights") {
      $0.pointee.lerp(targets, sources, Int32(sources.count), 1 - Double(decay ?? self.decay))
    }
  }

  /// Exchanges weights and average. Twice is as if nothing had happened.
  public func swap() throws {
    for (weight, shadow) in zip(weights, shadows) {
      let tensor = backend.tensor(of: weight)
      let present = backend.make(shape: weight.shape, "a copy of \(weight.name)") {
        $0.pointee.clone(backend.raw(tensor), &$1)
      }
      try backend.run("exchanging \(weight.name)") {
        $0.pointee.copy_from(backend.raw(tensor), backend.raw(shadow))
      }
      try backend.run("exchanging \(weight.name)") {
        $0.pointee.copy_from(backend.raw(shadow), backend.raw(present))
      }
    }
  }

  /// Runs the body with the average in place of the weights, for validation and samples.
  public func withAverage<R>(_ body: () throws -> R) throws -> R {
    try swap()
    let result: R
    do {
      result = try body()
    } catch {
      try swap()
      throw error
    }
    try swap()
    return result
  }

  /// New weights with the averaged values, for a package.
  public func averaged() throws -> [Weight] {
    try zip(weights, shadows).map { weight, shadow in
      try backend.check()
      return Weight(name: weight.name, shape: weight.shape, values: try backend.values(shadow))
    }
  }

  /// The averages by name, for checkpoints.
  public func state() throws -> [String: TensorValues] {
    try Dictionary(
      uniqueKeysWithValues: averaged().map { ($0.name, TensorValues(shape: $0.shape, values: $0.floats())) })
  }

  /// Restores what ``state()`` gave. Throws ``TorchError/stateMismatch(name:reason:)`` and changes nothing where a
  /// tensor is missing or of another shape.
  public func restore(_ state: [String: TensorValues]) throws {
    for weight in weights {
      guard let values = state[weight.name] else {
        throw TorchError.stateMismatch(name: weight.name, reason: "it is missing")
      }
      guard values.shape == weight.shape, values.values.count == weight.count else {
        throw TorchError.stateMismatch(
          name: weight.name, reason: "shape \(values.shape) where \(weight.shape) is needed")
      }
    }
    for (weight, shadow) in zip(weights, shadows) {
      guard let values = state[weight.name]?.values else { continue }
      try backend.run("restoring the average of \(weight.name)") {
        $0.pointee.set_floats(backend.raw(shadow), values, Int64(values.count))
      }
    }
  }
}
