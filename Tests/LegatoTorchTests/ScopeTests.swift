import LegatoTensor
import Testing

@testable import LegatoTorch

extension Torch {
  @Suite struct Scopes {
    @Test func withoutGradientsRestores() throws {
      let backend = try TorchBackend()
      let x = try backend.trainable([2], shape: [1])
      let outside = backend.withoutGradients {
        backend.withoutGradients {}
        return x.square()
      }
      #expect(throws: TorchError.self) { try backend.backward(outside) }
      try backend.backward(x.square())
      #expect(try backend.gradient(of: x) == [4])
      struct Stop: Error {}
      #expect(throws: Stop.self) { try backend.withoutGradients { throw Stop() } }
      try backend.backward(x.square())
      #expect(try backend.gradient(of: x) == [8])
    }

    /// 1 + 2⁻¹⁰ is not a bf16 number: a product in bf16 loses it.
    @Test func autocastRestores() throws {
      let backend = try TorchBackend()
      let value: Float = 1 + 1.0 / 1024
      let x = backend.tensor([value], shape: [1, 1])
      let one = backend.tensor([1] as [Float], shape: [1, 1])
      func product() -> Float { x.matmul(one).floats()[0] }
      #expect(product() == value)
      backend.autocast {
        #expect(product() == 1)
        backend.autocast(.float32) { #expect(product() == value) }
        backend.autocast { #expect(product() == 1) }
        #expect(product() == 1)
      }
      #expect(product() == value)
      try backend.check()
    }

    @Test func autocastSeesChangedWeights() throws {
      let backend = try TorchBackend()
      let weight = Weight(name: "w", shape: [1, 1], values: [1])
      try backend.makeTrainable([weight])
      let x = backend.tensor([3] as [Float], shape: [1, 1])
      try backend.autocast {
        func y() -> [Float] { Tensor.apply(.linear, [x, backend.tensor(of: weight)]).floats() }
        #expect(y() == [3])
        try backend.setValues(of: weight, to: [2])
        #expect(y() == [6])
        // A cast made without gradients must not be used with them.
        backend.withoutGradients { #expect(y() == [6]) }
        try backend.backward(Tensor.apply(.linear, [x, backend.tensor(of: weight)]).sum())
        #expect(try backend.gradient(of: weight) == [3])
      }
    }

    /// Every operation accepts what any other gives under autocast, in value and gradient, within bf16's accuracy.
    @Test(arguments: OperationCase.all)
    func operationUnderAutocast(_ test: OperationCase) throws {
      let backend = try TorchBackend()
      let operands = test.operands()
      let expected = Reference.evaluate(test.operation, operands)
      try backend.autocast {
        let leaves = try operands.enumerated().compactMap { position, operand in
          test.integers[position] == nil
            ? try backend.trainable(operand.values.map { Float($0) }, shape: operand.shape) : nil
        }
        var left = leaves[...]
        let tensors = operands.enumerated().map { position, operand in
          if test.integers[position] != nil {
            return backend.tensor(operand.values.map { Int32($0) }, shape: operand.shape)
          }
          let leaf = left.removeFirst()
          // The last axis through an identity matrix: what a linear layer in bf16 would give.
          guard leaf.rank > 0, position == 0 || test.operation.isFused == false else { return leaf }
          let n = leaf.dim(-1)
          let identity = backend.tensor((0..<n * n).map { $0 % (n + 1) == 0 ? Float(1) : 0 }, shape: [n, n])
          return Tensor.apply(.linear, [leaf, identity])
        }
        let result = Tensor.apply(
          test.operation,
          test.operation == .select ? [leafMask(test, backend)] + tensors.dropFirst() : tensors)
        for (a, b) in zip(result.floats(), expected.values) {
          #expect(
            abs(Double(a) - b) <= 0.06 * max(1, abs(b)) || test.operation == .binary(.greater), "\(a) \(b)")
        }
        if test.differentiable {
          try backend.backward(result.square().sum())
          for leaf in leaves { #expect(try backend.gradient(of: leaf)?.allSatisfy(\.isFinite) == true) }
        }
      }
      try backend.check()
    }

    private func leafMask(_ test: OperationCase, _ backend: TorchBackend) -> Tensor {
      backend.tensor((test.integers[0] ?? []).map(Float.init), shape: test.shapes[0])
    }

    @Test func handlesReturnToZero() throws {
      let before = try TorchRuntime.liveHandles().thread
      do {
        let backend = try TorchBackend()
        let weights = [Weight(name: "a", shape: [4, 4], values: [Float](repeating: 0.1, count: 16))]
        let optimizer = try AdamW(backend, weights)
        let average = try ExponentialMovingAverage(backend, weights, decay: 0.9)
        let x = backend.tensor([Float](repeating: 1, count: 8), shape: [2, 4])
        for _ in 0..<3 {
          try backend.backward(Tensor.apply(.linear, [x, backend.tensor(of: weights[0])]).square().mean())
          _ = try backend.clipGradients(maxNorm: 1)
          try optimizer.step(learningRate: 0.1)
          try optimizer.clearGradients()
          try average.update()
          _ = try average.withAverage { try backend.values(of: weights[0]) }
        }
        _ = try backend.gradient(of: x)
        #expect(try TorchRuntime.liveHandles().thread > before)
      }
      #expect(try TorchRuntime.liveHandles().thread == before)
    }
  }
}
