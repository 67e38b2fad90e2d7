import LegatoNN
import LegatoTensor
import LegatoTorch
import Testing

/// Every operation on the CPU engine: against libtorch, against its composition, and recorded against eager.
@Suite struct EngineParityTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var operation: Operation
    var shapes: [[Int]]
    /// Operands that are indices, with their values.
    var integers: [Int: [Int32]] = [:]
    /// Makes operands positive, for logarithms and roots.
    var positive = false

    init(_ operation: Operation, _ shapes: [[Int]], integers: [Int: [Int32]] = [:], positive: Bool = false) {
      self.operation = operation
      self.shapes = shapes
      self.integers = integers
      self.positive = positive
    }

    var testDescription: String { "\(operation) \(shapes)" }

    func operands(on backend: any Backend) -> [Tensor] {
      shapes.enumerated().map { index, shape in
        if let values = integers[index] { return backend.tensor(values, shape: shape) }
        var values = RandomStream(seed: 11, stream: UInt64(index)).normal(shape.reduce(1, *))
        if positive { for i in values.indices { values[i] = abs(values[i]) + 0.1 } }
        return backend.tensor(values, shape: shape)
      }
    }
  }

  static let cases: [Case] =
    Operation.Unary.allCases.map {
      Case(.unary($0), [[3, 37]], positive: $0 == .log || $0 == .sqrt || $0 == .rsqrt)
    }
    + Operation.Binary.allCases.flatMap { function in
      [[[4, 5], [4, 5]], [[2, 3, 5], [5]], [[2, 3, 5], [2, 1, 5]], [[3, 1], [1, 7]]].map {
        Case(.binary(function), $0, positive: function == .power || function == .divide)
      } + [Case(.scalar(function, 1.5), [[3, 19]], positive: function == .power)]
    }
    + Operation.Reduction.allCases.flatMap { function in
      (0..<3).map { Case(.reduce(function, axis: $0), [[3, 5, 17]]) }
    }
    + [
      Case(.select, [[9, 3], [9, 3], [9, 3]]),
      Case(.softmax, [[5, 33]]),
      Case(.matmul(transposed: false), [[2, 3, 7, 5], [3, 5, 9]]),
      Case(.matmul(transposed: true), [[4, 7, 5], [4, 9, 5]]),
      Case(.matmul(transposed: true), [[6, 33], [10, 33]]),
      Case(.reshape([6, 5]), [[2, 3, 5]]),
      Case(.permute([2, 0, 1]), [[2, 3, 5]]),
      Case(.permute([0, 2, 1, 3]), [[2, 3, 4, 5]]),
      Case(.slice(axis: 1, from: 1, to: 3), [[2, 4, 5]]),
      Case(.concatenate(axis: 1), [[2, 3, 4], [2, 1, 4], [2, 5, 4]]),
      Case(.pad(axis: 1, before: 2, after: 1), [[2, 3, 4]]),
      Case(.broadcast([4, 3, 5]), [[3, 1]]),
      Case(.gather, [[7, 5], [2, 3]], integers: [1: [0, 6, 3, 2, 2, 1]]),
      Case(.frame(size: 8, hop: 2), [[3, 20]]),
      Case(.overlapAdd(hop: 3), [[2, 4, 9]]),
      Case(.rfft, [[3, 60]]),
      Case(.irfft, [[3, 2, 31]]),
      Case(.linear, [[2, 3, 37], [11, 37], [11]]),
      Case(.linear, [[5, 64], [32, 64]]),
      Case(.layerNorm(epsilon: 1e-5), [[4, 33]]),
      Case(.layerNorm(epsilon: 1e-5), [[4, 33], [33], [33]]),
      Case(.rmsNorm(epsilon: 1e-6), [[4, 33], [33]]),
      Case(.rotary(base: 10_000, pairs: 3), [[2, 4, 3, 8], [4]], integers: [1: [0, 1, 50, 100_000]]),
      Case(.attention(window: 3), [[2, 9, 2, 8], [2, 9, 2, 8], [2, 9, 2, 8]]),
      Case(.attention(window: 4), [[1, 11, 2, 6], [1, 11, 2, 6], [1, 11, 2, 6], [3, 2, 6], [3, 2, 6]]),
      Case(.depthwiseConvolution, [[2, 9, 5], [5, 4], [5]]),
      Case(.depthwiseConvolution, [[2, 3, 5], [5, 7]]),
      Case(.convolution2d(stride: [1, 2], padding: [1, 4]), [[2, 3, 5, 12], [4, 3, 3, 9], [4]]),
      Case(.modulate, [[2, 3, 7], [2, 3, 7], [2, 3, 7]]),
      Case(.modulate, [[2, 3, 7], [2, 1, 7], [2, 1, 7]]),
      Case(.gatedAdd, [[2, 3, 7], [2, 3, 7], [2, 3, 7]]),
      Case(.gatedAdd, [[2, 3, 7], [2, 1, 7], [2, 3, 7]]),
    ]

  @Test(arguments: cases) func enginesAgree(_ test: Case) throws {
    let (engine, torch) = (CPUEngine(threads: 2), try TorchBackend(device: .cpu))
    let a = Tensor.apply(test.operation, test.operands(on: engine))
    let b = Tensor.apply(test.operation, test.operands(on: torch))
    #expect(a.shape == b.shape)
    expectClose(a.floats(), b.floats(), 2e-5)
    try torch.check()
  }

  @Test(arguments: cases.filter(\.operation.isFused)) func fusedEqualsItsComposition(_ test: Case) {
    let engine = CPUEngine(threads: 1)
    let operands = test.operands(on: engine)
    expectClose(
      Tensor.apply(test.operation, operands).floats(),
      Tensor.composition(of: test.operation, operands).floats(), 2e-5)
  }

  @Test(arguments: cases) func replayEqualsEager(_ test: Case) throws {
    let engine = CPUEngine(threads: 2)
    let eager = Tensor.apply(test.operation, test.operands(on: engine)).floats()
    let inputs = test.shapes.indices.map {
      PlanInput(test.shapes[$0], test.integers[$0] == nil ? .float32 : .int32)
    }
    let plan = engine.record(inputs: inputs) { [Tensor.apply(test.operation, $0)] }
    for (index, operand) in test.operands(on: engine).enumerated() {
      if let values = test.integers[index] {
        _ = plan.integers(index).update(from: values)
      } else {
        _ = plan.input(index).update(from: operand.floats())
      }
    }
    for _ in 0..<2 {
      plan.run()
      #expect(Array(plan.output(0)) == eager)
    }
  }
}

/// max|a − b| ≤ tolerance · max(RMS(b), 1e-6).
func expectClose(_ a: [Float], _ b: [Float], _ tolerance: Float, location: SourceLocation = #_sourceLocation)
{
  #expect(a.count == b.count, sourceLocation: location)
  let rms = max(1e-6, (b.reduce(0) { $0 + $1 * $1 } / Float(max(1, b.count))).squareRoot())
  let worst = zip(a, b).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
  #expect(worst <= tolerance * rms, "max difference \(worst), RMS \(rms)", sourceLocation: location)
}

/// What a plan does with several operations at once must not show in what they give.
@Suite struct PlanFusionTests {
  @Test(arguments: [1, 5]) func fusedProductsGiveTheSameBits(rows: Int) throws {
    let source = RandomWeights(seed: 3)
    let scope = WeightScope(source)
    let expand = try Linear(scope["expand"], 24, 40)
    let contract = try Linear(scope["contract"], 40, 24, bias: false)
    let engine = CPUEngine(threads: 2)
    func body(_ x: [Tensor]) -> [Tensor] {
      let hidden = expand(x[0])
      let plain = x[0] + contract(hidden.gelu())
      let gated = plain.add(contract(expand(plain).silu()), gate: x[1])
      // A result that is read again, one that is a slice, a product that two read, and a sum of a product with itself.
      let twice = contract(expand(gated).tanh())
      return [plain, gated, gated.slice(axis: 2, 3..<9), twice + twice, contract(hidden) + x[0], hidden]
    }
    let shapes = [[1, rows, 24], [1, 1, 24]]
    let values = shapes.enumerated().map { RandomStream(seed: 1, stream: UInt64($0)).normal($1.reduce(1, *)) }
    let plan = engine.record(inputs: shapes.map { PlanInput($0) }, body)
    for (index, value) in values.enumerated() { _ = plan.input(index).update(fromContentsOf: value) }
    for _ in 0..<2 {
      plan.run()
      let eager = body(zip(values, shapes).map { engine.tensor($0, shape: $1) }).map { $0.floats() }
      for (index, expected) in eager.enumerated() {
        #expect(Array(plan.output(index)) == expected, Comment(rawValue: "result \(index)"))
      }
    }
    // Eight products, of which activations and sums of their own take no calls.
    #expect(plan.callCount < 16)
  }
}
