extension Operation {
  /// Shape of the result. Traps, naming operation and shapes, where the operands do not fit.
  public func resultShape(_ shapes: [[Int]]) -> [Int] {
    func require(_ condition: Bool, _ what: @autoclosure () -> String) {
      precondition(condition, "\(self): \(what()); operand shapes \(shapes)")
    }
    func axis(_ axis: Int, _ shape: [Int]) -> Int {
      require(axis >= 0 && axis < shape.count, "axis \(axis) is out of range")
      return axis
    }
    let first = shapes[0]
    switch self {
    case .unary, .scalar, .softmax:
      return first
    case .layerNorm, .rmsNorm:
      for extra in shapes.dropFirst() {
        require(extra == [first.last ?? 0], "weight and bias must have the last axis' length")
      }
      return first
    case .binary:
      guard let shape = Operation.broadcastShape(shapes[0], shapes[1]) else {
        preconditionFailure("\(self): shapes \(shapes[0]) and \(shapes[1]) do not broadcast")
      }
      return shape
    case .select:
      require(shapes[1] == first && shapes[2] == first, "the three operands must have one shape")
      return first
    case .reduce(_, let along):
      var shape = first
      shape[axis(along, first)] = 1
      return shape
    case .matmul(let transposed):
      let a = shapes[0]
      let b = shapes[1]
      require(a.count >= 2 && b.count >= 2, "needs at least two axes")
      let k = transposed ? b[b.count - 1] : b[b.count - 2]
      let n = transposed ? b[b.count - 2] : b[b.count - 1]
      require(a[a.count - 1] == k, "inner lengths differ")
      guard let batch = Operation.broadcastShape(Array(a.dropLast(2)), Array(b.dropLast(2))) else {
        preconditionFailure("\(self): batch axes of \(a) and \(b) do not broadcast")
      }
      return batch + [a[a.count - 2], n]
    case .reshape(let shape):
      require(shape.reduce(1, *) == first.reduce(1, *), "cannot become \(shape)")
      return shape
    case .permute(let order):
      require(order.sorted() == Array(first.indices), "\(order) is no permutation of the axes")
      return order.map { first[$0] }
    case .slice(let along, let from, let to):
      require(
        from >= 0 && from <= to && to <= first[axis(along, first)], "range \(from)..<\(to) is out of bounds")
      var shape = first
      shape[along] = to - from
      return shape
    case .concatenate(let along):
      var shape = first
      shape[axis(along, first)] = 0
      for other in shapes {
        var (expected, actual) = (first, other)
        require(other.count == first.count, "ranks differ")
        expected[along] = 0
        actual[along] = 0
        require(expected == actual, "lengths differ off the axis")
        shape[along] += other[along]
      }
      return shape
    case .pad(let along, let before, let after):
      var shape = first
      shape[axis(along, first)] += before + after
      return shape
    case .broadcast(let shape):
      require(Operation.broadcastShape(first, shape) == shape, "cannot become \(shape)")
      return shape
    case .gather:
      require(first.count == 2, "the table must have two axes")
      return shapes[1] + [first[1]]
    case .frame(let size, let hop):
      let length = first.last ?? 0
      require(
        length >= size && (length - size) % hop == 0, "length \(length) is not size + a multiple of hop")
      return first.dropLast() + [(length - size) / hop + 1, size]
    case .overlapAdd(let hop):
      require(first.count >= 2, "needs frames and samples")
      return first.dropLast(2) + [(first[first.count - 2] - 1) * hop + first[first.count - 1]]
    case .rfft:
      require((first.last ?? 1) % 2 == 0, "length must be even")
      return first.dropLast() + [2, first[first.count - 1] / 2 + 1]
    case .irfft:
      require(first.count >= 2 && first[first.count - 2] == 2, "needs [..., 2, bins]")
      return first.dropLast(2) + [(first[first.count - 1] - 1) * 2]
    case .linear:
      let weight = shapes[1]
      require(weight.count == 2 && weight[1] == first.last, "weight does not fit")
      if shapes.count > 2 { require(shapes[2] == [weight[0]], "bias does not fit") }
      return first.dropLast() + [weight[0]]
    case .rotary:
      require(first.count == 4 && shapes[1] == [first[1]] && first[3] % 2 == 0, "needs [B, T, H, D] and [T]")
      return first
    case .attention, .attentionStream:
      require(first.count == 4 && shapes[1] == first && shapes[2] == first, "q, k, v must be [B, T, H, D]")
      return first
    case .depthwiseConvolution, .depthwiseConvolutionStream:
      require(
        first.count == 3 && shapes[1].count == 2 && shapes[1][0] == first[2], "needs [B, T, C] and [C, K]")
      return first
    case .convolution2d(let stride, let padding):
      let weight = shapes[1]
      require(stride.count == 2 && padding.count == 2, "stride and padding need two numbers")
      require(
        first.count == 4 && weight.count == 4 && first[1] == weight[1], "needs [B, C, H, W], [O, C, h, w]")
      if shapes.count > 2 { require(shapes[2] == [weight[0]], "bias does not fit") }
      func extent(_ axis: Int) -> Int {
        let room: Int = first[2 + axis] + 2 * padding[axis] - weight[2 + axis]
        require(room >= 0, "the kernel is larger than its input")
        return room / stride[axis] + 1
      }
      return [first[0], weight[0], extent(0), extent(1)]
    case .modulate:
      for other in shapes.dropFirst() {
        require(Operation.modulates(other, first), "shift and scale do not fit")
      }
      return first
    case .gatedAdd:
      require(Operation.modulates(shapes[1], first) && shapes[2] == first, "gate or branch does not fit")
      return first
    case .frameStream(let size, let hop):
      require(
        first.count == 2 && first[1] % hop == 0 && shapes[1].count == 3 && shapes[1][2] == size - hop
          && first[0] == shapes[1][1] * shapes[2].reduce(1, *), "needs [B · R, T · hop]")
      return [first[0], first[1] / hop, size]
    case .overlapAddStream(let hop):
      require(
        first.count == 3 && shapes[1].count == 3 && shapes[1][2] == first[2] - hop
          && first[0] == shapes[1][1] * shapes[2].reduce(1, *), "needs [B · R, T, size]")
      return [first[0], first[1] * hop]
    }
  }

  /// Whether a modulation of this shape applies to `x`: equal, or repeated along the axis before the last.
  private static func modulates(_ modulation: [Int], _ x: [Int]) -> Bool {
    if modulation == x { return true }
    guard modulation.count == x.count, x.count >= 2 else { return false }
    var once = x
    once[x.count - 2] = 1
    return modulation == once
  }

  /// NumPy's rule; nil where the shapes do not broadcast.
  static func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int]? {
    var result: [Int] = []
    for offset in 1...max(a.count, b.count, 1) {
      let (x, y) = (offset <= a.count ? a[a.count - offset] : 1, offset <= b.count ? b[b.count - offset] : 1)
      if offset > a.count, offset > b.count { break }
      guard x == y || x == 1 || y == 1 else { return nil }
      result.append(x == 1 ? y : x)
    }
    return result.reversed()
  }
}
