import Foundation
import LegatoTensor

typealias Operation = LegatoTensor.Operation

/// An array in Double, indexed naively: the reference that shares no code with any engine.
struct Reference {
  var shape: [Int]
  var values: [Double]

  init(_ shape: [Int], _ element: ([Int]) -> Double) {
    self.shape = shape
    values = []
    values.reserveCapacity(shape.reduce(1, *))
    for flat in 0..<shape.reduce(1, *) { values.append(element(Reference.index(flat, shape))) }
  }

  init(shape: [Int], values: [Double]) {
    self.shape = shape
    self.values = values
  }

  static func index(_ flat: Int, _ shape: [Int]) -> [Int] {
    var (rest, index) = (flat, shape)
    for axis in shape.indices.reversed() {
      index[axis] = rest % shape[axis]
      rest /= shape[axis]
    }
    return index
  }

  private func flat(_ index: [Int]) -> Int { zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 } }

  subscript(_ index: [Int]) -> Double {
    get { values[flat(index)] }
    set { values[flat(index)] = newValue }
  }
  subscript(_ index: Int...) -> Double { self[index] }

  /// The element at an index of a larger shape that this one broadcasts to.
  func broadcast(_ index: [Int]) -> Double {
    self[zip(index.suffix(shape.count), shape).map { $1 == 1 ? 0 : $0 }]
  }

  static func unary(_ kind: Operation.Unary, _ x: Double) -> Double {
    switch kind {
    case .negate: -x
    case .absolute: abs(x)
    case .exp: exp(x)
    case .log: log(x)
    case .sqrt: x.squareRoot()
    case .rsqrt: 1 / x.squareRoot()
    case .sin: sin(x)
    case .cos: cos(x)
    case .tanh: tanh(x)
    case .sigmoid: 1 / (1 + exp(-x))
    case .relu: max(x, 0)
    case .gelu: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .silu: x / (1 + exp(-x))
    case .softplus: log(1 + exp(x))
    case .square: x * x
    }
  }

  static func binary(_ kind: Operation.Binary, _ a: Double, _ b: Double) -> Double {
    switch kind {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: max(a, b)
    case .minimum: min(a, b)
    case .power: pow(a, b)
    case .greater: a > b ? 1 : 0
    }
  }

  static func evaluate(_ operation: Operation, _ x: [Reference]) -> Reference {
    let shape = operation.resultShape(x.map(\.shape))
    let input = x[0]
    let last = (input.shape.last ?? 1)
    switch operation {
    case .unary(let kind): return Reference(shape) { unary(kind, input[$0]) }
    case .binary(let kind): return Reference(shape) { binary(kind, input.broadcast($0), x[1].broadcast($0)) }
    case .scalar(let kind, let constant):
      return Reference(shape) { binary(kind, input[$0], Double(constant)) }
    case .select: return Reference(shape) { input[$0] != 0 ? x[1][$0] : x[2][$0] }
    case .reduce(let kind, let axis):
      return Reference(shape) { index in
        let row = (0..<input.shape[axis]).map { position in
          var index = index
          index[axis] = position
          return input[index]
        }
        return switch kind {
        case .sum: row.reduce(0, +)
        case .mean: row.reduce(0, +) / Double(row.count)
        case .max: row.max() ?? 0
        }
      }
    case .softmax:
      return Reference(shape) { index in
        exp(input[index]) / (0..<last).reduce(0) { $0 + exp(input[index.dropLast() + [$1]]) }
      }
    case .matmul(let transposed):
      return Reference(shape) { index in
        let (m, n) = (index[index.count - 2], index[index.count - 1])
        let batch = Array(index.dropLast(2))
        return (0..<last).reduce(0) { sum, k in
          sum + input.broadcast(batch + [m, k]) * x[1].broadcast(batch + (transposed ? [n, k] : [k, n]))
        }
      }
    case .reshape: return Reference(shape: shape, values: input.values)
    case .permute(let order):
      return Reference(shape) { index in
        var source = index
        for (axis, from) in order.enumerated() { source[from] = index[axis] }
        return input[source]
      }
    case .slice(let axis, let from, _):
      return Reference(shape) { index in
        var index = index
        index[axis] += from
        return input[index]
      }
    case .concatenate(let axis):
      return Reference(shape) { index in
        var index = index
        for part in x {
          if index[axis] < part.shape[axis] { return part[index] }
          index[axis] -= part.shape[axis]
        }
        return .nan
      }
    case .pad(let axis, let before, _):
      return Reference(shape) { index in
        var index = index
        index[axis] -= before
        return index[axis] >= 0 && index[axis] < input.shape[axis] ? input[index] : 0
      }
    case .broadcast: return Reference(shape) { input.broadcast($0) }
    case .gather: return Reference(shape) { input[[Int(x[1][Array($0.dropLast())]), $0[$0.count - 1]]] }
    default: return evaluateSignal(operation, x, shape)
    }
  }

  private static func evaluateSignal(_ operation: Operation, _ x: [Reference], _ shape: [Int]) -> Reference {
    let input = x[0]
    switch operation {
    case .frame(_, let hop):
      return Reference(shape) { input[$0.dropLast(2) + [$0[$0.count - 2] * hop + $0[$0.count - 1]]] }
    case .overlapAdd(let hop):
      var sum = Reference(shape) { _ in 0 }
      for flat in input.values.indices {
        let index = Reference.index(flat, input.shape)
        sum[index.dropLast(2) + [index[index.count - 2] * hop + index[index.count - 1]]] += input[index]
      }
      return sum
    case .rfft:
      let length = input.shape[input.shape.count - 1]
      return Reference(shape) { index in
        let (part, bin) = (index[index.count - 2], index[index.count - 1])
        return (0..<length).reduce(0) { sum, n in
          let angle = -2 * Double.pi * Double(bin * n % length) / Double(length)
          return sum + input[index.dropLast(2) + [n]] * (part == 0 ? cos(angle) : sin(angle))
        }
      }
    case .irfft:
      let length = shape[shape.count - 1]
      return Reference(shape) { index in
        let (batch, n) = (Array(index.dropLast()), index[index.count - 1])
        let total = (0...length / 2).reduce(0.0) { sum, bin in
          let angle = 2 * Double.pi * Double(bin * n % length) / Double(length)
          let term = input[batch + [0, bin]] * cos(angle) - input[batch + [1, bin]] * sin(angle)
          return sum + (bin == 0 || bin == length / 2 ? term : 2 * term)
        }
        return total / Double(length)
      }
    default: return evaluateFused(operation, x, shape)
    }
  }

  private static func evaluateFused(_ operation: Operation, _ x: [Reference], _ shape: [Int]) -> Reference {
    let input = x[0]
    let last = input.shape[input.shape.count - 1]
    func row(_ index: [Int]) -> [Double] { (0..<last).map { input[index.dropLast() + [$0]] } }
    switch operation {
    case .linear:
      return Reference(shape) { index in
        let n = index[index.count - 1]
        let bias = x.count > 2 ? x[2][n] : 0
        return (0..<last).reduce(bias) { $0 + input[index.dropLast() + [$1]] * x[1][n, $1] }
      }
    case .layerNorm(let epsilon):
      return Reference(shape) { index in
        let (row, n) = (row(index), index[index.count - 1])
        let mean = row.reduce(0, +) / Double(last)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(last)
        let y = (input[index] - mean) / (variance + Double(epsilon)).squareRoot()
        return y * (x.count > 1 ? x[1][n] : 1) + (x.count > 2 ? x[2][n] : 0)
      }
    case .rmsNorm(let epsilon):
      return Reference(shape) { index in
        let mean = row(index).reduce(0) { $0 + $1 * $1 } / Double(last)
        return input[index] / (mean + Double(epsilon)).squareRoot()
          * (x.count > 1 ? x[1][index[index.count - 1]] : 1)
      }
    case .rotary(let base, let pairs):
      let half = last / 2
      return Reference(shape) { index in
        let (head, d) = (Array(index.dropLast()), index[3])
        let angle =
          d % half < pairs ? x[1][index[1]] * pow(Double(base), -2 * Double(d % half) / Double(last)) : 0
        let (a, b) = (input[head + [d % half]], input[head + [d % half + half]])
        return d < half ? a * cos(angle) - b * sin(angle) : a * sin(angle) + b * cos(angle)
      }
    case .attention(let window): return attention(x, window: window)
    case .depthwiseConvolution:
      let width = x[1].shape[1]
      return Reference(shape) { index in
        let (b, t, c) = (index[0], index[1], index[2])
        return (0..<width).reduce(x.count > 2 ? x[2][c] : 0) { sum, tap in
          let source = t - (width - 1) + tap
          return source < 0 ? sum : sum + input[b, source, c] * x[1][c, tap]
        }
      }
    case .convolution2d(let stride, let padding):
      return Reference(shape) { index in
        var sum = x.count > 2 ? x[2][index[1]] : 0
        for c in 0..<x[1].shape[1] {
          for (i, j) in (0..<x[1].shape[2]).flatMap({ i in (0..<x[1].shape[3]).map { (i, $0) } }) {
            let (row, column) = (index[2] * stride[0] - padding[0] + i, index[3] * stride[1] - padding[1] + j)
            guard (0..<input.shape[2]).contains(row), (0..<input.shape[3]).contains(column) else { continue }
            sum += input[index[0], c, row, column] * x[1][index[1], c, i, j]
          }
        }
        return sum
      }
    case .modulate: return Reference(shape) { input[$0] * (1 + x[2].broadcast($0)) + x[1].broadcast($0) }
    case .gatedAdd: return Reference(shape) { input[$0] + x[1].broadcast($0) * x[2][$0] }
    default: preconditionFailure("\(operation) has no reference")
    }
  }

  private static func attention(_ x: [Reference], window: Int) -> Reference {
    let (q, k, v) = (x[0], x[1], x[2])
    let width = q.shape[3]
    var result = Reference(q.shape) { _ in 0 }
    for b in 0..<q.shape[0] {
      for h in 0..<q.shape[2] {
        for t in 0..<q.shape[1] {
          var seen: [(k: [Double], v: [Double])] = []
          if x.count > 3 {
            for sink in 0..<x[3].shape[0] {
              seen.append(((0..<width).map { x[3][sink, h, $0] }, (0..<width).map { x[4][sink, h, $0] }))
            }
          }
          for s in max(0, t - window + 1)...t {
            seen.append(((0..<width).map { k[b, s, h, $0] }, (0..<width).map { v[b, s, h, $0] }))
          }
          let weights = seen.map { key in
            exp((0..<width).reduce(0) { $0 + q[b, t, h, $1] * key.k[$1] } / Double(width).squareRoot())
          }
          let total = weights.reduce(0, +)
          for d in 0..<width {
            result[[b, t, h, d]] = zip(weights, seen).reduce(0) { $0 + $1.0 * $1.1.v[d] } / total
          }
        }
      }
    }
    return result
  }
}
