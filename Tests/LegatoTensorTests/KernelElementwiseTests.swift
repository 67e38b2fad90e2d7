import CKernels
import Foundation
import Testing

private typealias H = KernelHarness

@Suite struct KernelElementwiseTests {
  static func unary(_ f: lk_unary, _ x: Double) -> Double {
    switch f {
    case LK_NEGATE: -x
    case LK_ABSOLUTE: abs(x)
    case LK_EXP: exp(x)
    case LK_LOG: log(x)
    case LK_SQRT: x.squareRoot()
    case LK_RSQRT: 1 / x.squareRoot()
    case LK_SIN: sin(x)
    case LK_COS: cos(x)
    case LK_TANH: tanh(x)
    case LK_SIGMOID: 1 / (1 + exp(-x))
    case LK_RELU: x < 0 ? 0 : x
    case LK_GELU: x / (1 + exp(-2 * 0.7978845608028654 * (x + 0.044715 * x * x * x)))
    case LK_SILU: x / (1 + exp(-x))
    case LK_SOFTPLUS: max(x, 0) + log1p(exp(-abs(x)))
    default: x * x
    }
  }

  @Test(arguments: 0..<15) func unaryPointwise(_ function: Int) throws {
    let f = lk_unary(UInt32(function))
    // Relative error, element by element, over the whole range of each function.
    var x: [Float] = []
    for j in -4000...4000 { x.append(Float(j) * 0.0217 + 1e-4) }
    for e in stride(from: Float(-30), through: 8, by: 0.37) { x += [pow(10, e), -pow(10, e)] }
    x += [0, 1, -1, 0.5, 88.5, -87, 0.41421, 0.41422, 1.41421, 0.70711, 0.625]
    for isa in H.isas {
      let got = try H.run(LK_UNARY, isa, [.input(x), .output(x.count)], [x.count, function])[1] ?? []
      for (a, b) in zip(x, got) {
        let y = Self.unary(f, Double(a))
        if y.isNaN {
          #expect(b.isNaN, "\(f) \(a) gives \(b)")
        } else if abs(y) > Double(Float.greatestFiniteMagnitude) {
          #expect(b == (y > 0 ? .infinity : -.infinity), "\(f) \(a) gives \(b)")
        } else if f == LK_SIN || f == LK_COS {
          #expect(abs(Double(b) - y) < 2e-7, "\(function) of \(a): \(b), not \(y)")
        } else if f == LK_GELU || f == LK_SILU {
          // The exponent's own rounding is magnified by its size.
          #expect(abs(Double(b) - y) <= 3e-7 * max(1, abs(y)), "\(function) of \(a): \(b), not \(y)")
        } else {
          #expect(abs(Double(b) - y) <= 3.6e-7 * abs(y) + 1.2e-38, "\(function) of \(a): \(b), not \(y)")
        }
      }
    }
  }

  @Test(arguments: [1, 3, 4, 15, 16, 17, 31, 100, 1000, 4099]) func unaryCounts(_ n: Int) throws {
    let x = H.normal(n, n)
    for f in 0..<15 {
      try H.check(
        LK_UNARY, [.input(x), .output(n)], [n, f],
        expect: [1: x.map { Self.unary(lk_unary(UInt32(f)), Double($0)) }], "unary \(f)")
    }
  }

  @Test func specialValues() throws {
    let x: [Float] = [.infinity, -.infinity, .nan, 0, -0.0]
    let expected: [(lk_unary, [Double])] = [
      (LK_EXP, [.infinity, 0, .nan, 1, 1]), (LK_LOG, [.infinity, .nan, .nan, -.infinity, -.infinity]),
      (LK_SQRT, [.infinity, .nan, .nan, 0, 0]), (LK_SIN, [.nan, .nan, .nan, 0, 0]),
      (LK_TANH, [1, -1, .nan, 0, 0]), (LK_SIGMOID, [1, 0, .nan, 0.5, 0.5]),
      (LK_RELU, [.infinity, 0, .nan, 0, 0]),
      (LK_SOFTPLUS, [.infinity, 0, .nan, log(2), log(2)]),
    ]
    for (f, y) in expected {
      try H.check(
        LK_UNARY, [.input(x), .output(5)], [5, Int(f.rawValue)], expect: [1: y], "special \(f.rawValue)")
    }
  }

  static func binary(_ f: Int, _ a: Double, _ b: Double) -> Double {
    switch lk_binary(UInt32(f)) {
    case LK_ADD: a + b
    case LK_SUBTRACT: a - b
    case LK_MULTIPLY: a * b
    case LK_DIVIDE: a / b
    case LK_MAXIMUM: a.isNaN || b.isNaN ? .nan : max(a, b)
    case LK_MINIMUM: a.isNaN || b.isNaN ? .nan : min(a, b)
    case LK_POWER: pow(a, b)
    default: a > b ? 1 : 0
    }
  }

  /// Shapes with broadcasting: (a, b); the output's is their broadcast.
  @Test(arguments: [
    ([7], [7]), ([5, 7], [7]), ([5, 7], [5, 1]), ([5, 1], [1, 33]), ([2, 3, 37], [3, 37]),
    ([2, 3, 37], [2, 1, 37]),
    ([2, 1, 3, 1, 5], [4, 1, 2, 1]), ([1], [2, 3, 4, 5, 2, 3]), ([], []), ([16, 300], [300]), ([3, 300], []),
    ([4, 5, 6], [4, 5, 6]),
  ])
  func broadcasting(_ a: [Int], _ b: [Int]) throws {
    let rank = max(a.count, b.count)
    func padded(_ s: [Int]) -> [Int] { [Int](repeating: 1, count: rank - s.count) + s }
    let (sa, sb) = (padded(a), padded(b))
    let out = zip(sa, sb).map { max($0, $1) }
    func strides(_ s: [Int]) -> [Int] {
      var r = [Int](repeating: 0, count: rank)
      var n = 1
      for d in stride(from: rank - 1, through: 0, by: -1) {
        r[d] = s[d] == 1 ? 0 : n
        n *= s[d]
      }
      return r
    }
    let (ta, tb) = (strides(sa), strides(sb))
    let count = out.reduce(1, *)
    let x = H.normal(a.reduce(1, *), 1)
    let y = H.normal(b.reduce(1, *), 2)
    func pad6(_ v: [Int]) -> [Int] { v + [Int](repeating: 0, count: 6 - v.count) }
    for f in 0..<8 {
      let (u, v) = f == Int(LK_POWER.rawValue) ? (x.map { abs($0) }, y) : (x, y)
      var expected: [Double] = []
      for j in 0..<count {
        var rest = j
        var (oa, ob) = (0, 0)
        for d in stride(from: rank - 1, through: 0, by: -1) {
          oa += rest % out[d] * ta[d]
          ob += rest % out[d] * tb[d]
          rest /= out[d]
        }
        expected.append(Self.binary(f, Double(u[oa]), Double(v[ob])))
      }
      try H.check(
        LK_BINARY, [.input(u), .input(v), .output(count)], [f, rank] + pad6(out) + pad6(ta) + pad6(tb),
        expect: [2: expected], "binary \(f) \(a) \(b)")
    }
  }

  @Test(arguments: [1, 17, 1000]) func scalarSelectFill(_ n: Int) throws {
    let x = H.normal(n, 1)
    for f in 0..<8 {
      for c in [Float(0.7), 2, -1, 1] {
        let u = f == Int(LK_POWER.rawValue) && c == 0.7 ? x.map { abs($0) } : x
        try H.check(
          LK_SCALAR_OP, [.input(u), .output(n)], [n, f], [c],
          expect: [1: u.map { Self.binary(f, Double($0), Double(c)) }], "scalar \(f) \(c)")
      }
    }
    let condition = x.map { $0 > 0 ? Float(1) : 0 }
    let (a, b) = (H.normal(n, 3), H.normal(n, 4))
    try H.check(
      LK_SELECT, [.input(condition), .input(a), .input(b), .output(n)], [n],
      expect: [3: (0..<n).map { Double(condition[$0] != 0 ? a[$0] : b[$0]) }], tolerance: 0)
    try H.check(
      LK_FILL, [.output(n)], [n], [3.25], expect: [0: [Double](repeating: 3.25, count: n)], tolerance: 0)
  }

  @Test(arguments: [(1, 5, 1), (6, 37, 3), (12, 64, 4), (4, 16, 1)]) func modulation(
    _ rows: Int, _ n: Int, _ repeats: Int
  ) throws {
    let x = H.normal(rows * n, 1)
    let h = H.normal(rows * n, 2)
    let (shift, scale) = (H.normal(rows / repeats * n, 3), H.normal(rows / repeats * n, 4))
    func m(_ j: Int) -> Int { j / n / repeats * n + j % n }
    try H.check(
      LK_MODULATE, [.input(x), .input(shift), .input(scale), .output(rows * n)], [rows, n, repeats],
      expect: [3: (0..<rows * n).map { Double(x[$0]) * (1 + Double(scale[m($0)])) + Double(shift[m($0)]) }])
    try H.check(
      LK_GATED_ADD, [.input(x), .input(scale), .input(h), .output(rows * n)], [rows, n, repeats],
      expect: [3: (0..<rows * n).map { Double(x[$0]) + Double(scale[m($0)]) * Double(h[$0]) }])
  }
}
