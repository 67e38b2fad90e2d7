import Foundation
import LegatoTensor
import Testing

@testable import LegatoTorch

extension Torch {
  @Suite struct Optimizers {
    /// Σ (w − target)², with targets 1, 2, 3, …
    private func loss(_ backend: TorchBackend, _ weight: Weight) -> Tensor {
      let target = backend.tensor((1...weight.count).map(Float.init), shape: weight.shape)
      return (backend.tensor(of: weight) - target).square().sum()
    }

    private func weight(_ name: String, _ count: Int = 3) -> Weight {
      Weight(name: name, shape: [count], values: (0..<count).map { 0.5 - 0.3 * Float($0) })
    }

    @Test func adamWMatchesDouble() throws {
      let backend = try TorchBackend()
      let (decayed, plain, untouched) = (weight("decayed"), weight("plain", 4), weight("untouched"))
      let optimizer = try AdamW(
        backend,
        groups: [
          .init([decayed, untouched], weightDecay: 0.1),
          .init([plain], weightDecay: 0, learningRateScale: 0.5),
        ], beta1: 0.9, beta2: 0.95, epsilon: 1e-6)
      for (rate, decay, weight) in [(0.05, 0.1, decayed), (0.025, 0.0, plain)] {
        var w = weight.floats().map(Double.init)
        var m = [Double](repeating: 0, count: w.count)
        var v = m
        for step in 1...10 {
          for index in w.indices {
            let gradient = 2 * (w[index] - Double(index + 1))
            w[index] *= 1 - rate * decay
            m[index] = 0.9 * m[index] + 0.1 * gradient
            v[index] = 0.95 * v[index] + 0.05 * gradient * gradient
            let corrected = m[index] / (1 - pow(0.9, Double(step)))
            w[index] -= rate * corrected / ((v[index] / (1 - pow(0.95, Double(step)))).squareRoot() + 1e-6)
          }
        }
        for _ in 0..<10 {
          try backend.backward(loss(backend, weight))
          try optimizer.step(learningRate: 0.05)
          try optimizer.clearGradients()
        }
        for (a, b) in zip(try backend.values(of: weight), w) { #expect(abs(Double(a) - b) < 1e-5) }
      }
      #expect(try backend.values(of: untouched) == untouched.floats())
      #expect(try optimizer.state()["untouched.step"]?.values == [0])
      #expect(try optimizer.state()["decayed.step"]?.values == [10])
    }

    /// A run that is stopped and restored gives, bit for bit, what never stopping would have.
    @Test func stateRestoresExactly() throws {
      let weight = weight("w", 5)
      func train(_ backend: TorchBackend, _ optimizer: AdamW, steps: Int) throws {
        for _ in 0..<steps {
          try backend.backward(loss(backend, weight))
          try optimizer.step(learningRate: 0.03)
          try optimizer.clearGradients()
        }
      }
      let whole = try TorchBackend()
      try train(whole, try AdamW(whole, [weight], weightDecay: 0.01), steps: 9)

      let first = try TorchBackend()
      let firstOptimizer = try AdamW(first, [weight], weightDecay: 0.01)
      try train(first, firstOptimizer, steps: 4)
      let (values, state) = (try first.values(of: weight), try firstOptimizer.state())

      let second = try TorchBackend()
      let secondOptimizer = try AdamW(second, [weight], weightDecay: 0.01)
      try second.setValues(of: weight, to: values)
      try secondOptimizer.restore(state)
      try train(second, secondOptimizer, steps: 5)
      #expect(try second.values(of: weight) == whole.values(of: weight))

      var damaged = state
      damaged["w.v"]?.shape = [2]
      #expect(throws: TorchError.stateMismatch(name: "w.v", reason: "shape [2] where [5] is needed")) {
        try secondOptimizer.restore(damaged)
      }
      damaged["w.v"] = nil
      #expect(throws: TorchError.stateMismatch(name: "w.v", reason: "it is missing")) {
        try secondOptimizer.restore(damaged)
      }
    }

    @Test func clipping() throws {
      let backend = try TorchBackend()
      let (a, b) = (weight("a", 1), weight("b", 1))
      try backend.makeTrainable([a, b])
      func gradients(_ factor: Float) throws {
        try backend.clearGradients()
        try backend.backward(
          (backend.tensor(of: a) * (3 * factor) + backend.tensor(of: b) * (4 * factor)).sum())
      }
      try gradients(1)
      #expect(try backend.clipGradients(maxNorm: 10) == 5)
      #expect(try backend.gradient(of: a) == [3])
      #expect(try backend.clipGradients(maxNorm: 1) == 5)
      let clipped = try [#require(try backend.gradient(of: a))[0], #require(try backend.gradient(of: b))[0]]
      #expect(abs(clipped[0] - 0.6) < 1e-5 && abs(clipped[1] - 0.8) < 1e-5)
      try backend.scaleGradients(by: 0.5)
      #expect(abs(try #require(try backend.gradient(of: a))[0] - 0.3) < 1e-5)
      try gradients(.infinity)
      #expect(try !backend.clipGradients(maxNorm: 1).isFinite)
      try gradients(.nan)
      #expect(try backend.clipGradients(maxNorm: 1).isNaN)
      try backend.clearGradients()
      #expect(try backend.gradient(of: a) == nil)
    }

    @Test func movingAverage() throws {
      let backend = try TorchBackend()
      let weight = Weight(name: "w", shape: [2], values: [1, 2])
      let average = try ExponentialMovingAverage(backend, [weight], decay: 0.75)
      try backend.setValues(of: weight, to: [5, -2])
      try average.update()
      #expect(try average.averaged()[0].floats() == [2, 1])
      try average.update(decay: 0.5)
      #expect(try average.averaged()[0].floats() == [3.5, -0.5])
      #expect(try average.withAverage { try backend.values(of: weight) } == [3.5, -0.5])
      #expect(try backend.values(of: weight) == [5, -2])
      let state = try average.state()
      try average.update()
      try average.restore(state)
      #expect(try average.state() == state)
      #expect(throws: TorchError.stateMismatch(name: "w", reason: "it is missing")) {
        try average.restore([:])
      }
    }

    @Test func frozenWeightsGetNoGradient() throws {
      let backend = try TorchBackend()
      let (a, b) = (weight("a"), weight("b"))
      try backend.makeTrainable([a])
      try backend.backward((backend.tensor(of: a) * backend.tensor(of: b)).sum())
      #expect(try backend.gradient(of: a) == b.floats())
      #expect(try backend.gradient(of: b) == nil)
      try backend.freeze([a])
      #expect(backend.trainableWeights.isEmpty)
      #expect(throws: TorchError.self) { try backend.backward(backend.tensor(of: a).sum()) }
    }

    @Test func repeatsBitForBit() throws {
      func run() throws -> [Float] {
        let backend = try TorchBackend()
        let weight = Weight(name: "w", shape: [64, 64], values: (0..<4096).map { Float($0 % 17) / 17 - 0.4 })
        let optimizer = try AdamW(backend, [weight])
        let x = backend.tensor((0..<128 * 64).map { Float($0 % 23) / 23 - 0.5 }, shape: [2, 64, 64])
        for _ in 0..<5 {
          let y = Tensor.apply(.linear, [x, backend.tensor(of: weight)])
          let heads = y.reshape([2, 64, 4, 16])
          let mixed = Tensor.apply(.attention(window: 20), [heads, heads, heads])
          try backend.backward(mixed.square().mean())
          try optimizer.step(learningRate: 0.01)
          try optimizer.clearGradients()
        }
        return try backend.values(of: weight)
      }
      #expect(try run() == run())
    }
  }
}
