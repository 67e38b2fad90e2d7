import LegatoTensor

/// The CPU engine, noting on the way the second moments of what goes into the linear layers of some weights.
final class InputMoments: Backend {
  let engine: CPUEngine
  private let wanted: Set<String>
  /// Tensors of weights by their handles.
  private var names: [ObjectIdentifier: String] = [:]
  private var sums: [String: Tensor] = [:]

  /// - Parameter wanted: names of the weights whose layers are watched.
  init(engine: CPUEngine, wanted: Set<String>) {
    self.engine = engine
    self.wanted = wanted
  }

  /// Sums of products of the inputs seen so far, `[inputs, inputs]`, by the weight's name.
  var moments: [String: [Float]] { sums.mapValues { $0.floats() } }

  var name: String { engine.name }

  func implements(_ operation: Operation) -> Bool { engine.implements(operation) }

  func perform(_ operation: Operation, _ operands: [Tensor], shape: [Int], dtype: DType) -> Tensor {
    if operation == .linear, let name = names[ObjectIdentifier(operands[1].handle)] {
      add(operands[0], to: name)
    }
    return mine(engine.perform(operation, operands, shape: shape, dtype: dtype))
  }

  func tensor(_ values: [Float], shape: [Int]) -> Tensor { mine(engine.tensor(values, shape: shape)) }

  func tensor(_ values: [Int32], shape: [Int]) -> Tensor { mine(engine.tensor(values, shape: shape)) }

  func tensor(of weight: Weight) -> Tensor {
    let tensor = engine.tensor(of: weight)
    if wanted.contains(weight.name) { names[ObjectIdentifier(tensor.handle)] = weight.name }
    return mine(tensor)
  }

  func floats(_ tensor: Tensor) -> [Float] { engine.floats(tensor) }

  private func mine(_ tensor: Tensor) -> Tensor {
    Tensor(shape: tensor.shape, dtype: tensor.dtype, backend: self, handle: tensor.handle)
  }

  private func add(_ inputs: Tensor, to name: String) {
    let columns = inputs.dim(-1)
    let rows = Tensor(
      shape: [inputs.count / columns, columns], dtype: .float32, backend: engine, handle: inputs.handle)
    let product = rows.permute([1, 0]).matmul(rows)
    sums[name] = sums[name].map { $0 + product } ?? product
  }
}
