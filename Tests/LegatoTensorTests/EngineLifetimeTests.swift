import LegatoTensor
import Testing

@Suite struct EngineLifetimeTests {
  /// An engine holds threads and copies of weights: sessions come and go, so it must go with them.
  @Test func anEngineGoesWhenNobodyHoldsIt() {
    weak var remembered: CPUEngine?
    do {
      let engine = CPUEngine(threads: 2)
      remembered = engine
      let weight = Weight(name: "w", shape: [2, 2], values: [1, 2, 3, 4])
      let x = engine.tensor([1, 1] as [Float], shape: [1, 2])
      #expect(Tensor.apply(.linear, [x, engine.tensor(of: weight)]).floats() == [3, 7])
    }
    #expect(remembered == nil)
  }
}
