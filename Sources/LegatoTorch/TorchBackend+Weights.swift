import CTorchAPI
import LegatoTensor

/// What stands for a weight. The handle alone: a `Tensor` would hold the backend that holds it.
struct WeightEntry {
  let weight: Weight
  let handle: TorchHandle
  var isTrainable = false
}

/// Values with their shape, as checkpoints hold them.
public struct TensorValues: Sendable, Equatable {
  public var shape: [Int]
  public var values: [Float]

  public init(shape: [Int], values: [Float]) {
    self.shape = shape
    self.values = values
  }
}

extension TorchBackend {
  /// The tensor for a weight, copied to the device at first use: frozen unless ``makeTrainable(_:)`` says otherwise.
  public func tensor(of weight: Weight) -> Tensor {
    if let entry = entries[ObjectIdentifier(weight)] {
      return Tensor(shape: weight.shape, dtype: .float32, backend: self, handle: entry.handle)
    }
    let tensor = tensor(weight.floats(), shape: weight.shape)
    if failure == nil, let handle = tensor.handle as? TorchHandle {
      entries[ObjectIdentifier(weight)] = WeightEntry(weight: weight, handle: handle)
    }
    return tensor
  }

  /// Weights that collect gradients, in the order they were given.
  public var trainableWeights: [Weight] { trainableOrder }

  /// Lets these weights collect gradients and be changed by optimisers.
  public func makeTrainable(_ weights: [Weight]) throws {
    for weight in weights { try setTrainable(weight, true) }
  }

  /// Takes it back: gradients no longer reach these weights. Their values stay as trained.
  public func freeze(_ weights: [Weight]) throws {
    for weight in weights { try setTrainable(weight, false) }
  }

  private func setTrainable(_ weight: Weight, _ on: Bool) throws {
    let tensor = tensor(of: weight)
    try run("making \(weight.name) trainable") { $0.pointee.set_requires_grad(raw(tensor), on ? 1 : 0) }
    guard let entry = entries[ObjectIdentifier(weight)], entry.isTrainable != on else { return }
    entries[ObjectIdentifier(weight)]?.isTrainable = on
    if on {
      trainableOrder.append(weight)
    } else {
      trainableOrder.removeAll { $0 === weight }
    }
  }

  /// Forgets the tensors of these weights; their training is lost.
  public func forget(_ weights: [Weight]) {
    for weight in weights { entries[ObjectIdentifier(weight)] = nil }
    let gone = Set(weights.map { ObjectIdentifier($0) })
    trainableOrder.removeAll { gone.contains(ObjectIdentifier($0)) }
  }

  /// Present values, row-major: as trained so far.
  public func values(of weight: Weight) throws -> [Float] {
    try check()
    guard entries[ObjectIdentifier(weight)] != nil else { return weight.floats() }
    return try values(tensor(of: weight))
  }

  /// Replaces the values, for example by those of a checkpoint.
  public func setValues(of weight: Weight, to values: [Float]) throws {
    guard values.count == weight.count else {
      throw TorchError.stateMismatch(
        name: weight.name, reason: "\(values.count) values where the shape is \(weight.shape)")
    }
    let tensor = tensor(of: weight)
    try run("setting \(weight.name)") { $0.pointee.set_floats(raw(tensor), values, Int64(values.count)) }
  }

  /// New weights with the present values, for a package or a checkpoint.
  public func trained(_ weights: [Weight]) throws -> [Weight] {
    try weights.map { Weight(name: $0.name, shape: $0.shape, values: try values(of: $0)) }
  }

  func handles(_ weights: [Weight]) -> [lgt_tensor?] { weights.map { raw(tensor(of: $0)) } }
}
