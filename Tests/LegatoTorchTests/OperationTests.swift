import LegatoTensor
import Testing

@testable import LegatoTorch

extension Torch {
  @Suite struct Operations {
    /// Operands on the backend; those that are not whole numbers collect gradients.
    private func tensors(_ operands: [Reference], of test: OperationCase, on backend: TorchBackend) throws
      -> [Tensor]
    {
      try operands.enumerated().map { position, operand in
        if test.integers[position] != nil, test.operation != .select {
          return backend.tensor(operand.values.map { Int32($0) }, shape: operand.shape)
        }
        return try backend.trainable(operand.values.map { Float($0) }, shape: operand.shape)
      }
    }

    private func expectClose(_ actual: [Float], _ expected: [Double], _ tolerance: Double, _ what: String) {
      #expect(actual.count == expected.count, "\(what)")
      for (position, (a, b)) in zip(actual, expected).enumerated()
      where !(abs(Double(a) - b) <= tolerance * max(1, abs(b))) {
        Issue.record("\(what): element \(position) is \(a), expected \(b)")
        return
      }
    }

    @Test(arguments: OperationCase.all)
    func value(_ test: OperationCase) throws {
      let backend = try TorchBackend()
      let operands = test.operands()
      let expected = Reference.evaluate(test.operation, operands)
      let result = Tensor.apply(test.operation, try tensors(operands, of: test, on: backend))
      expectClose(result.floats(), expected.values, 2e-5, test.testDescription)
      try backend.check()
    }

    /// d/dx Σ w · f(x) for fixed w, against central differences of the reference in Double.
    @Test(arguments: OperationCase.all.filter(\.differentiable))
    func gradient(_ test: OperationCase) throws {
      let backend = try TorchBackend()
      let operands = test.operands()
      let x = try tensors(operands, of: test, on: backend)
      let result = Tensor.apply(test.operation, x)
      let weights = (0..<result.count).map { (index: Int) -> Double in
        let (a, b) = (index * 7 % 5, index % 3)
        return 0.25 + 0.5 * Double(a) - 0.1 * Double(b)
      }
      try backend.backward(
        (result * backend.tensor(weights.map { Float($0) }, shape: result.shape)).sum())

      func loss(_ operands: [Reference]) -> Double {
        zip(Reference.evaluate(test.operation, operands).values, weights).reduce(0) { $0 + $1.0 * $1.1 }
      }
      for position in operands.indices where test.integers[position] == nil {
        let expected = operands[position].values.indices.map { element in
          var (above, below) = (operands, operands)
          above[position].values[element] += 1e-5
          below[position].values[element] -= 1e-5
          return (loss(above) - loss(below)) / 2e-5
        }
        let gradient = try #require(try backend.gradient(of: x[position]))
        expectClose(gradient, expected, 2e-4, "\(test.testDescription), gradient of operand \(position)")
      }
    }

    /// What a backend may override means what its composition of primitives means.
    @Test(arguments: OperationCase.all.filter(\.operation.isFused))
    func composition(_ test: OperationCase) throws {
      let backend = try TorchBackend()
      let x = try tensors(test.operands(), of: test, on: backend)
      let fused = Tensor.apply(test.operation, x)
      backend.composesFusedOperations = true
      let composed = Tensor.apply(test.operation, x)
      expectClose(fused.floats(), composed.floats().map(Double.init), 2e-5, test.testDescription)
    }

    @Test func keepsWholeNumbersWhole() throws {
      let backend = try TorchBackend()
      let x = backend.tensor([3, 1, 2] as [Int32], shape: [3])
      let y = Tensor.concatenate([x + 1, x.slice(axis: 0, 1..<3)], axis: 0)
      #expect(y.dtype == .int32)
      #expect(y.floats() == [4, 2, 3, 1, 2])
      #expect(
        backend.tensor((0..<10).map(Float.init), shape: [5, 2]).gather(y).floats() == [
          8, 9, 4, 5, 6, 7, 2, 3, 4, 5,
        ])
    }

    /// Long sequences are cut into blocks; whole and broken numbers of them, and lengths where cutting begins.
    @Test(arguments: [
      (40, 7, 2), (142, 7, 2), (141, 7, 1), (64, 64, 0), (200, 10, 0), (257, 64, 3), (130, 1, 1),
    ])
    func attentionAtLength(length: Int, window: Int, sinks: Int) throws {
      var shapes = [[Int]](repeating: [2, length, 2, 4], count: 3)
      if sinks > 0 { shapes += [[sinks, 2, 4], [sinks, 2, 4]] }
      let test = OperationCase(.attention(window: window), shapes)
      try value(test)

      // Gradients against those of the composition, and bf16 against f32.
      let backend = try TorchBackend()
      func gradients(composed: Bool) throws -> (value: [Float], gradients: [[Float]]) {
        backend.composesFusedOperations = composed
        let x = try tensors(test.operands(), of: test, on: backend)
        let y = Tensor.apply(test.operation, x)
        let factors = backend.tensor((0..<y.count).map { Float($0 % 11) / 11 - 0.5 }, shape: y.shape)
        try backend.backward((y * factors).sum())
        return (y.floats(), try x.map { try #require(try backend.gradient(of: $0)) })
      }
      let (fused, composed) = (try gradients(composed: false), try gradients(composed: true))
      for (a, b) in zip(fused.gradients, composed.gradients) {
        expectClose(a, b.map(Double.init), 5e-5, "gradient of \(test)")
      }
      let half = try backend.autocast { try gradients(composed: false) }
      expectClose(half.value, composed.value.map(Double.init), 0.03, "bf16 \(test)")
      for (a, b) in zip(half.gradients, composed.gradients) {
        expectClose(a, b.map(Double.init), 0.05, "bf16 gradient of \(test)")
      }
    }
  }
}
