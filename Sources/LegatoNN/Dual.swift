import LegatoTensor

/// A tensor and its derivative in one scalar variable, carried forward through the layers together (forward-mode differentiation).
///
/// Both have one shape, or shapes that broadcast; a nil derivative is zero. Gradients pass through both, so that a loss may contain the
/// derivative.
public struct Dual {
  public var value: Tensor
  public var derivative: Tensor?

  public init(_ value: Tensor, derivative: Tensor? = nil) {
    (self.value, self.derivative) = (value, derivative)
  }

  public static func + (a: Dual, b: Dual) -> Dual {
    Dual(a.value + b.value, derivative: sum(a.derivative, b.derivative))
  }

  public static func * (a: Dual, b: Dual) -> Dual {
    Dual(
      a.value * b.value,
      derivative: sum(a.derivative.map { $0 * b.value }, b.derivative.map { a.value * $0 }))
  }

  public func silu() -> Dual {
    Dual(
      value.silu(),
      derivative: derivative.map {
        let gate = value.sigmoid()
        return $0 * gate * ((gate * -1 + 1) * value + 1)
      })
  }

  /// Equal parts of the last axis.
  public func split(parts: Int) -> [Dual] {
    let derivatives = derivative?.split(axis: -1, parts: parts)
    return value.split(axis: -1, parts: parts).enumerated().map { Dual($1, derivative: derivatives?[$0]) }
  }

  private static func sum(_ a: Tensor?, _ b: Tensor?) -> Tensor? {
    guard let a, let b else { return a ?? b }
    return a + b
  }
}

extension Linear {
  public func callAsFunction(_ x: Dual) -> Dual {
    Dual(
      self(x.value),
      derivative: x.derivative.map { .apply(.linear, [$0, $0.backend.tensor(of: weight)]) })
  }
}

extension LayerNorm {
  /// Of a layer without learned scale and shift.
  public func callAsFunction(_ x: Dual) -> Dual {
    precondition(weight == nil, "LayerNorm: the derivative of one with learned scale")
    let y = self(x.value)
    guard let slope = x.derivative else { return Dual(y) }
    let centred = x.value - x.value.mean(axis: -1)
    let inverse = (centred.square().mean(axis: -1) + epsilon).rsqrt()
    return Dual(
      y, derivative: (slope - slope.mean(axis: -1) - y * (y * slope).mean(axis: -1)) * inverse)
  }
}
