import LegatoTensor
import Testing

@Suite struct PlanTests {
  /// A plan may round what meets weights in bf16, and nothing else.
  @Test(arguments: [WeightFormat.float32, .bfloat16, .int8(group: 64)]) func rounding(_ format: WeightFormat)
  {
    let (rows, columns) = (40, 256)
    let weight = Weight(
      name: "w", shape: [rows, columns],
      values: RandomStream(seed: 1, stream: 1).normal(rows * columns)
    ).converted(to: format)
    let x = RandomStream(seed: 1, stream: 2).normal(3 * columns)
    let engine = CPUEngine(threads: 1)
    func outputs(rounding: Bool) -> [Float] {
      let plan = engine.record(inputs: [.init([3, columns])], rounding: rounding) {
        [Tensor.apply(.linear, [$0[0], engine.tensor(of: weight)])]
      }
      _ = plan.input(0).update(from: x)
      plan.run()
      return Array(plan.output(0))
    }
    let (exact, rounded) = (outputs(rounding: false), outputs(rounding: true))
    if format == .bfloat16 {
      let error = zip(exact, rounded).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      #expect((error / exact.reduce(0) { $0 + $1 * $1 }).squareRoot() < 0.004)
      #expect((exact != rounded) == (engine.instructionSet == "avx512-bf16"))
    } else {
      #expect(exact == rounded)
    }
  }
}
