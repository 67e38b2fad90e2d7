import CTorchAPI
import LegatoTensor

/// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization"), fused over all weights.
///
/// Weights that no gradient has reached are left alone, and their step is not counted.
public final class AdamW {
  /// Weights that share settings.
  public struct Group {
    public var weights: [Weight]
    /// Decay per step is learning rate · weightDecay; 0 for norms and biases.
    public var weightDecay: Float
    /// Factor on the learning rate.
    public var learningRateScale: Float

    public init(_ weights: [Weight], weightDecay: Float = 0, learningRateScale: Float = 1) {
      self.weights = weights
      self.weightDecay = weightDecay
      self.learningRateScale = learningRateScale
    }
  }

  public var groups: [Group] { states.map(\.group) }
  public let beta1: Float
  public let beta2: Float
  public let epsilon: Float

  private struct State {
    let group: Group
    let m: [Tensor]
    let v: [Tensor]
    let steps: [Tensor]
  }
  private let backend: TorchBackend
  private let states: [State]

  /// Makes the weights trainable, with moments of zero. Names must be unique.
  public init(
    _ backend: TorchBackend, groups: [Group], beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8
  ) throws {
    self.backend = backend
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    var names: Set<String> = []
    for weight in groups.flatMap(\.weights) {
      precondition(names.insert(weight.name).inserted, "two weights are named '\(weight.name)'")
    }
    for group in groups { try backend.makeTrainable(group.weights) }
    states = groups.map { group in
      State(
        group: group, m: group.weights.map { backend.zeros($0.shape) },
        v: group.weights.map { backend.zeros($0.shape) },
        steps: group.weights.map { _ in backend.zeros([]) })
    }
    try backend.check()
  }

  public convenience init(
    _ backend: TorchBackend, _ weights: [Weight], weightDecay: Float = 0, beta1: Float = 0.9,
    beta2: Float = 0.999,
    epsilon: Float = 1e-8
  ) throws {
    try self.init(
      backend, groups: [Group(weights, weightDecay: weightDecay)], beta1: beta1, beta2: beta2,
      epsilon: epsilon)
  }

  /// Changes the weights by their gradients, which stay until ``clearGradients()``.
  public func step(learningRate: Double) throws {
    for state in states {
      let parameters = backend.handles(state.group.weights)
      let (m, v, steps) = (handles(state.m), handles(state.v), handles(state.steps))
      try backend.run("an AdamW step over \(parameters.count) weights") {
        $0.pointee.adamw(
          parameters, m, v, steps, Int32(parameters.count),
          learningRate * Double(state.group.learningRateScale),
          Double(beta1), Double(beta2), Double(epsilon), Double(state.group.weightDecay))
      }
    }
  }

  public func clearGradients() throws {
    try backend.clearGradients(of: states.flatMap(\.group.weights))
  }

  /// Moments and step counters, under `name.m`, `name.v` and `name.step`.
  public func state() throws -> [String: TensorValues] {
    var result: [String: TensorValues] = [:]
    for (name, tensor) in named() {
      try backend.check()
      result[name] = TensorValues(shape: tensor.shape, values: try backend.values(tensor))
    }
    return result
  }

  /// Restores what ``state()`` gave. Throws ``TorchError/stateMismatch(name:reason:)`` and changes nothing where a
  /// tensor is missing or of another shape.
  public func restore(_ state: [String: TensorValues]) throws {
    for (name, tensor) in named() {
      guard let values = state[name] else {
        throw TorchError.stateMismatch(name: name, reason: "it is missing")
      }
      guard values.shape == tensor.shape, values.values.count == tensor.count else {
        throw TorchError.stateMismatch(
          name: name, reason: "shape \(values.shape) where \(tensor.shape) is needed")
      }
    }
    for (name, tensor) in named() {
      guard let values = state[name]?.values else { continue }
      try backend.run("restoring \(name)") {
        $0.pointee.set_floats(backend.raw(tensor), values, Int64(values.count))
      }
    }
  }

  private func named() -> [(String, Tensor)] {
    states.flatMap { state in
      state.group.weights.indices.flatMap { index in
        let name = state.group.weights[index].name
        return [
          (name + ".m", state.m[index]), (name + ".v", state.v[index]), (name + ".step", state.steps[index]),
        ]
      }
    }
  }

  private func handles(_ tensors: [Tensor]) -> [lgt_tensor?] { tensors.map { backend.raw($0) } }
}
