import CKernels

extension Weight {
  /// The matrix in int8 or int4, rounded so that the layer's outputs change least, where ``converted(to:)`` changes the weights least.
  ///
  /// Columns are rounded from the last to the first; each takes up what the errors of those behind it do to the outputs, through the
  /// Cholesky factor of the inputs' moments. That is GPTQ (Frantar, Ashkboos, Hoefler and Alistarh, 2023) in the reverse order, which
  /// needs no inverse (Babai's nearest plane).
  ///
  /// - Parameter inputMoments: sums of products of the layer's inputs, `[inputs, inputs]`, as they come in use.
  public func converted(to target: WeightFormat, inputMoments: [Float]) -> Weight {
    guard let group = target.group, shape.count == 2, shape[1] % group == 0 else {
      return converted(to: target)
    }
    let (rows, columns) = (shape[0], shape[1])
    precondition(inputMoments.count == columns * columns, "\(name): moments of \(inputMoments.count) numbers")
    guard let factor = CholeskyFactor(moments: inputMoments, size: columns) else {
      return converted(to: target)
    }
    let values = floats()
    let isByte = !target.isInt4
    var scales = [Float](repeating: 0, count: count / group)
    let bytes = [UInt8](unsafeUninitializedCapacity: isByte ? count : count / 2) { memory, initialized in
      initialized = memory.count
      var taken = [Float](repeating: 0, count: columns)
      var levels = [Int](repeating: 0, count: columns)
      for row in 0..<rows {
        let weights = values[row * columns..<(row + 1) * columns]
        for index in taken.indices { taken[index] = 0 }
        for first in stride(from: columns - group, through: 0, by: -group) {
          let targets = (first..<first + group).map { weights[row * columns + $0] + taken[$0] }
          let scale = Self.scale(
            targets, importance: factor.importance[first..<first + group], isByte: isByte)
          scales[row * (columns / group) + first / group] = scale
          for column in stride(from: first + group - 1, through: first, by: -1) {
            let value = weights[row * columns + column]
            let steps = scale == 0 ? 0 : ((value + taken[column]) / scale).rounded(.toNearestOrEven)
            let level = isByte ? min(max(steps, -127), 127) : min(max(steps, -8), 7)
            levels[column] = Int(level)
            factor.spread(value - level * scale, from: column, into: &taken)
          }
        }
        if isByte {
          for column in 0..<columns {
            memory[row * columns + column] = UInt8(bitPattern: Int8(levels[column]))
          }
        } else {
          for pair in 0..<columns / 2 {
            memory[(row * columns) / 2 + pair] = UInt8(levels[2 * pair] + 8 | (levels[2 * pair + 1] + 8) << 4)
          }
        }
      }
    }
    return rounded(to: target, values: bytes, scales: scales)
  }

  private static func scale(_ values: [Float], importance: ArraySlice<Float>, isByte: Bool) -> Float {
    if isByte { return values.reduce(0) { max($0, abs($1)) } / 127 }
    return importance.withUnsafeBufferPointer { lk_int4_scale(values, $0.baseAddress, Int64(values.count)) }
  }
}

/// L with L Lᵀ = moments, and a little of their mean on the diagonal.
private struct CholeskyFactor {
  let size: Int
  /// Squares of the diagonal: what an error of a column costs that nothing takes up.
  let importance: [Float]
  /// Rows of L, each column divided by its diagonal: what of a row's error each column before it takes up.
  private let rows: [Float]

  /// Nil where the moments are not positive definite: all zero, or not finite.
  init?(moments: [Float], size n: Int) {
    size = n
    let damping = 0.01 * (0..<n).reduce(0.0) { $0 + Double(moments[$1 * n + $1]) } / Double(n)
    guard damping > 0, damping.isFinite else { return nil }
    var l = moments
    var diagonal = [Float](repeating: 0, count: n)
    let isDefinite = l.withUnsafeMutableBufferPointer { l in
      for i in 0..<n {
        l[i * n + i] += Float(damping)
        for j in 0...i {
          let value = l[i * n + j] - Self.product(l, i * n, j * n, count: j)
          if i == j {
            guard value > 0, value.isFinite else { return false }
            diagonal[i] = value.squareRoot()
          } else {
            l[i * n + j] = value / diagonal[j]
          }
        }
      }
      for i in 0..<n { for j in 0..<i { l[i * n + j] /= diagonal[j] } }
      return true
    }
    guard isDefinite else { return nil }
    rows = l
    importance = diagonal.map { $0 * $0 }
  }

  private static func product(_ l: UnsafeMutableBufferPointer<Float>, _ a: Int, _ b: Int, count: Int) -> Float
  {
    var (sum, index) = (SIMD16<Float>.zero, 0)
    let bytes = UnsafeRawBufferPointer(l)
    while index + 16 <= count {
      sum +=
        bytes.loadUnaligned(fromByteOffset: 4 * (a + index), as: SIMD16<Float>.self)
        * bytes.loadUnaligned(fromByteOffset: 4 * (b + index), as: SIMD16<Float>.self)
      index += 16
    }
    return (index..<count).reduce(sum.sum()) { $0 + l[a + $1] * l[b + $1] }
  }

  /// Adds to `taken` what the columns before `column` take up of its error.
  func spread(_ error: Float, from column: Int, into taken: inout [Float]) {
    rows.withUnsafeBufferPointer { rows in
      taken.withUnsafeMutableBufferPointer { taken in
        let start = column * size
        for index in 0..<column { taken[index] += error * rows[start + index] }
      }
    }
  }
}
