import LegatoTensor

/// A linear layer.
///
/// ```
/// y = x · weightᵀ + bias        x [..., inputs] → y [..., outputs]
/// ```
/// The weight is a matrix `[outputs, inputs]` in any ``WeightFormat``; the layer never names one.
public struct Linear: Sendable {
  public let weight: Weight
  public let bias: Weight?

  public init(
    _ scope: WeightScope, _ inputs: Int, _ outputs: Int, bias: Bool = true, initial: Initializer? = nil
  ) throws {
    let initial = initial ?? .linear(inputs: inputs)
    weight = try scope.weight("weight", [outputs, inputs], initial)
    self.bias = bias ? try scope.weight("bias", [outputs], .zeros) : nil
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    .apply(.linear, [x, x.backend.tensor(of: weight)] + (bias.map { [x.backend.tensor(of: $0)] } ?? []))
  }
}
