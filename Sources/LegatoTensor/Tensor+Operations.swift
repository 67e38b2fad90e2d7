// Names follow mlx-swift and PyTorch where the two agree. Axes may be negative.

extension Tensor {
  private func axis(_ axis: Int) -> Int { axis < 0 ? axis + rank : axis }
  private func unary(_ function: Operation.Unary) -> Tensor { .apply(.unary(function), [self]) }

  public func abs() -> Tensor { unary(.absolute) }
  public func exp() -> Tensor { unary(.exp) }
  public func log() -> Tensor { unary(.log) }
  public func sqrt() -> Tensor { unary(.sqrt) }
  public func rsqrt() -> Tensor { unary(.rsqrt) }
  public func sin() -> Tensor { unary(.sin) }
  public func cos() -> Tensor { unary(.cos) }
  public func tanh() -> Tensor { unary(.tanh) }
  public func sigmoid() -> Tensor { unary(.sigmoid) }
  public func relu() -> Tensor { unary(.relu) }
  public func gelu() -> Tensor { unary(.gelu) }
  public func silu() -> Tensor { unary(.silu) }
  public func softplus() -> Tensor { unary(.softplus) }
  public func square() -> Tensor { unary(.square) }

  public func maximum(_ constant: Float) -> Tensor { .apply(.scalar(.maximum, constant), [self]) }
  public func minimum(_ constant: Float) -> Tensor { .apply(.scalar(.minimum, constant), [self]) }
  public func pow(_ exponent: Float) -> Tensor { .apply(.scalar(.power, exponent), [self]) }
  public func maximum(_ other: Tensor) -> Tensor { .apply(.binary(.maximum), [self, other]) }
  public func minimum(_ other: Tensor) -> Tensor { .apply(.binary(.minimum), [self, other]) }
  /// 1 where greater, else 0.
  public func greater(_ other: Tensor) -> Tensor { .apply(.binary(.greater), [self, other]) }
  public func select(_ a: Tensor, _ b: Tensor) -> Tensor { .apply(.select, [self, a, b]) }

  public func sum(axis: Int) -> Tensor { .apply(.reduce(.sum, axis: self.axis(axis)), [self]) }
  public func mean(axis: Int) -> Tensor { .apply(.reduce(.mean, axis: self.axis(axis)), [self]) }
  public func max(axis: Int) -> Tensor { .apply(.reduce(.max, axis: self.axis(axis)), [self]) }
  /// Mean of all elements, shape `[1]`.
  public func mean() -> Tensor { reshape([count]).mean(axis: 0) }
  /// Sum of all elements, shape `[1]`.
  public func sum() -> Tensor { reshape([count]).sum(axis: 0) }
  public func softmax() -> Tensor { .apply(.softmax, [self]) }

  public func matmul(_ other: Tensor, transposed: Bool = false) -> Tensor {
    .apply(.matmul(transposed: transposed), [self, other])
  }

  /// One length may be −1.
  public func reshape(_ shape: [Int]) -> Tensor {
    var shape = shape
    if let open = shape.firstIndex(of: -1) {
      let known = shape.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
      shape[open] = known == 0 ? 0 : count / known
    }
    return shape == self.shape ? self : .apply(.reshape(shape), [self])
  }

  public func permute(_ order: [Int]) -> Tensor { .apply(.permute(order), [self]) }
  public func slice(axis: Int, _ range: Range<Int>) -> Tensor {
    .apply(.slice(axis: self.axis(axis), from: range.lowerBound, to: range.upperBound), [self])
  }
  public func pad(axis: Int, before: Int = 0, after: Int = 0) -> Tensor {
    before == 0 && after == 0
      ? self : .apply(.pad(axis: self.axis(axis), before: before, after: after), [self])
  }
  public func broadcast(to shape: [Int]) -> Tensor {
    shape == self.shape ? self : .apply(.broadcast(shape), [self])
  }
  public func gather(_ indices: Tensor) -> Tensor { .apply(.gather, [self, indices]) }

  /// Equal parts along an axis.
  public func split(axis: Int, parts: Int) -> [Tensor] {
    let length = dim(axis) / parts
    return (0..<parts).map { slice(axis: axis, $0 * length..<($0 + 1) * length) }
  }

  public func frame(size: Int, hop: Int) -> Tensor { .apply(.frame(size: size, hop: hop), [self]) }
  public func overlapAdd(hop: Int) -> Tensor { .apply(.overlapAdd(hop: hop), [self]) }
  public func rfft() -> Tensor { .apply(.rfft, [self]) }
  public func irfft() -> Tensor { .apply(.irfft, [self]) }

  public func modulate(shift: Tensor, scale: Tensor) -> Tensor { .apply(.modulate, [self, shift, scale]) }
  public func add(_ branch: Tensor, gate: Tensor) -> Tensor { .apply(.gatedAdd, [self, gate, branch]) }

  public static func concatenate(_ tensors: [Tensor], axis: Int) -> Tensor {
    tensors.count == 1 ? tensors[0] : .apply(.concatenate(axis: tensors[0].axis(axis)), tensors)
  }

  public static func + (a: Tensor, b: Tensor) -> Tensor { .apply(.binary(.add), [a, b]) }
  public static func - (a: Tensor, b: Tensor) -> Tensor { .apply(.binary(.subtract), [a, b]) }
  public static func * (a: Tensor, b: Tensor) -> Tensor { .apply(.binary(.multiply), [a, b]) }
  public static func / (a: Tensor, b: Tensor) -> Tensor { .apply(.binary(.divide), [a, b]) }
  public static func + (a: Tensor, c: Float) -> Tensor { .apply(.scalar(.add, c), [a]) }
  public static func - (a: Tensor, c: Float) -> Tensor { .apply(.scalar(.subtract, c), [a]) }
  public static func * (a: Tensor, c: Float) -> Tensor { .apply(.scalar(.multiply, c), [a]) }
  public static func / (a: Tensor, c: Float) -> Tensor { .apply(.scalar(.divide, c), [a]) }
  public static func - (c: Float, a: Tensor) -> Tensor { -a + c }
  public static prefix func - (a: Tensor) -> Tensor { a.unary(.negate) }
}
