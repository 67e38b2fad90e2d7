import LegatoTensor
import Testing

/// An operation on random operands of these shapes.
struct OperationCase: Sendable, CustomTestStringConvertible {
  var operation: Operation
  var shapes: [[Int]]
  /// Range of the random values.
  var range: ClosedRange<Double> = -1.5...1.5
  /// Operands that are whole numbers, with their values.
  var integers: [Int: [Int32]] = [:]
  var differentiable = true

  var testDescription: String { "\(operation) of \(shapes)" }

  init(
    _ operation: Operation, _ shapes: [[Int]], range: ClosedRange<Double> = -1.5...1.5,
    integers: [Int: [Int32]] = [:],
    differentiable: Bool = true
  ) {
    self.operation = operation
    self.shapes = shapes
    self.range = range
    self.integers = integers
    self.differentiable = differentiable
  }

  /// The same operands each time; values stay apart from each other, so that maxima have no ties.
  func operands() -> [Reference] {
    var seed: UInt64 = 88_172_645_463_325_252
    return shapes.enumerated().map { position, shape in
      if let values = integers[position] { return Reference(shape: shape, values: values.map(Double.init)) }
      return Reference(shape) { _ in
        seed ^= seed << 13
        seed ^= seed >> 7
        seed ^= seed << 17
        let unit = Double(seed >> 11) / Double(1 << 53)
        return Double(Float(range.lowerBound + unit * (range.upperBound - range.lowerBound)))
      }
    }
  }

  static let positive = 0.3...2.0

  static let all: [OperationCase] =
    Operation.Unary.allCases.map { kind in
      let needsPositive = [.log, .sqrt, .rsqrt].contains(kind)
      return OperationCase(.unary(kind), [[2, 5]], range: needsPositive ? positive : -1.5...1.5)
    }
    + Operation.Binary.allCases.flatMap { kind in
      let range = kind == .power || kind == .divide ? positive : -1.5...1.5
      let smooth = kind != .greater
      return [
        OperationCase(.binary(kind), [[2, 3, 4], [3, 1]], range: range, differentiable: smooth),
        OperationCase(.binary(kind), [[4], [2, 4]], range: range, differentiable: smooth),
        OperationCase(.scalar(kind, 0.7), [[3, 4]], range: range, differentiable: smooth),
      ]
    }
    + Operation.Reduction.allCases.flatMap { kind in
      [
        OperationCase(.reduce(kind, axis: 1), [[2, 3, 4]]),
        OperationCase(.reduce(kind, axis: 2), [[2, 3, 4]]),
      ]
    } + shaping + products + signals + fused

  private static let shaping: [OperationCase] = [
    OperationCase(.select, [[2, 3], [2, 3], [2, 3]], integers: [0: [0, 1, 0, 2, 1, 0]]),
    OperationCase(.softmax, [[2, 3, 5]]),
    OperationCase(.reshape([3, 4]), [[2, 6]]),
    OperationCase(.permute([2, 0, 1]), [[2, 3, 4]]),
    OperationCase(.slice(axis: 1, from: 1, to: 4), [[2, 5, 2]]),
    OperationCase(.slice(axis: 0, from: 1, to: 1), [[2, 3]], differentiable: false),
    OperationCase(.concatenate(axis: 1), [[2, 1, 3], [2, 2, 3], [2, 3, 3]]),
    OperationCase(.concatenate(axis: 0), [[1, 2]]),
    OperationCase(.pad(axis: 0, before: 1, after: 2), [[2, 3]]),
    OperationCase(.pad(axis: 1, before: 3, after: 0), [[2, 3, 2]]),
    OperationCase(.broadcast([2, 3, 4]), [[3, 1]]),
    OperationCase(.gather, [[5, 3], [2, 2]], integers: [1: [4, 0, 2, 4]]),
  ]

  private static let products: [OperationCase] = [
    OperationCase(.matmul(transposed: false), [[3, 4], [4, 2]]),
    OperationCase(.matmul(transposed: true), [[2, 3, 4], [5, 4]]),
    OperationCase(.matmul(transposed: false), [[2, 1, 3, 4], [3, 4, 2]]),
    OperationCase(.linear, [[2, 3, 4], [5, 4]]),
    OperationCase(.linear, [[3, 4], [5, 4], [5]]),
  ]

  private static let signals: [OperationCase] = [
    OperationCase(.frame(size: 4, hop: 2), [[2, 10]]),
    OperationCase(.frame(size: 5, hop: 2), [[9]]),
    OperationCase(.frame(size: 2, hop: 3), [[2, 11]]),
    OperationCase(.overlapAdd(hop: 2), [[2, 3, 4]]),
    OperationCase(.overlapAdd(hop: 2), [[3, 5]]),
    OperationCase(.overlapAdd(hop: 3), [[2, 4, 2]]),
    OperationCase(.rfft, [[2, 8]]),
    OperationCase(.rfft, [[6]]),
    OperationCase(.irfft, [[2, 2, 5]]),
    OperationCase(.irfft, [[2, 4]]),
  ]

  private static let fused: [OperationCase] = [
    OperationCase(.layerNorm(epsilon: 1e-5), [[2, 3, 6]]),
    OperationCase(.layerNorm(epsilon: 1e-5), [[3, 6], [6]]),
    OperationCase(.layerNorm(epsilon: 1e-3), [[2, 3, 6], [6], [6]]),
    OperationCase(.rmsNorm(epsilon: 1e-5), [[2, 6]]),
    OperationCase(.rmsNorm(epsilon: 1e-3), [[2, 3, 6], [6]]),
    OperationCase(.rotary(base: 10_000, pairs: 3), [[2, 3, 2, 6], [3]], integers: [1: [0, 5, 1000]]),
    OperationCase(.rotary(base: 10_000, pairs: 2), [[2, 3, 2, 6], [3]], integers: [1: [0, 5, 1000]]),
    OperationCase(.attention(window: 3), [[2, 6, 2, 4], [2, 6, 2, 4], [2, 6, 2, 4]]),
    OperationCase(.attention(window: 8), [[1, 5, 2, 4], [1, 5, 2, 4], [1, 5, 2, 4]]),
    OperationCase(
      .attention(window: 2), [[2, 5, 2, 4], [2, 5, 2, 4], [2, 5, 2, 4], [3, 2, 4], [3, 2, 4]]),
    OperationCase(
      .attention(window: 9), [[1, 5, 1, 4], [1, 5, 1, 4], [1, 5, 1, 4], [1, 1, 4], [1, 1, 4]]),
    OperationCase(.depthwiseConvolution, [[2, 6, 3], [3, 4]]),
    OperationCase(.depthwiseConvolution, [[1, 3, 2], [2, 5], [2]]),
    OperationCase(.depthwiseConvolution, [[2, 5, 3], [3, 1], [3]]),
    OperationCase(.convolution2d(stride: [1, 1], padding: [0, 0]), [[2, 2, 4, 5], [3, 2, 3, 2]]),
    OperationCase(.convolution2d(stride: [1, 2], padding: [1, 4]), [[1, 2, 3, 8], [2, 2, 3, 9], [2]]),
    OperationCase(.convolution2d(stride: [2, 3], padding: [0, 1]), [[2, 1, 5, 6], [2, 1, 2, 3], [2]]),
    OperationCase(.modulate, [[2, 3, 4], [2, 1, 4], [2, 1, 4]]),
    OperationCase(.modulate, [[2, 3, 4], [2, 3, 4], [2, 1, 4]]),
    OperationCase(.gatedAdd, [[2, 3, 4], [2, 1, 4], [2, 3, 4]]),
    OperationCase(.gatedAdd, [[2, 3, 4], [2, 3, 4], [2, 3, 4]]),
  ]
}
