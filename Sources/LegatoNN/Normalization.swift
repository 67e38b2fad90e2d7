import LegatoTensor

/// Layer normalisation over the last axis (Ba et al. 2016), with or without learned scale and shift.
public struct LayerNorm: Sendable {
  public let weight: Weight?
  public let bias: Weight?
  public let epsilon: Float

  /// - Parameter affine: false where the modulation that follows brings scale and shift (AdaLN).
  public init(_ scope: WeightScope, _ width: Int, affine: Bool = true, epsilon: Float = 1e-5) throws {
    weight = affine ? try scope.weight("weight", [width], .constant(1)) : nil
    bias = affine ? try scope.weight("bias", [width], .zeros) : nil
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var operands = [x]
    if let weight, let bias { operands += [x.backend.tensor(of: weight), x.backend.tensor(of: bias)] }
    return .apply(.layerNorm(epsilon: epsilon), operands)
  }
}

/// Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019).
public struct RMSNorm: Sendable {
  public let weight: Weight
  public let epsilon: Float

  public init(_ scope: WeightScope, _ width: Int, epsilon: Float = 1e-6) throws {
    weight = try scope.weight("weight", [width], .constant(1))
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    .apply(.rmsNorm(epsilon: epsilon), [x, x.backend.tensor(of: weight)])
  }
}
