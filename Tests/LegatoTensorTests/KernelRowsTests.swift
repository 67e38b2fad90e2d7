import CKernels
import Foundation
import Testing

private typealias H = KernelHarness

@Suite struct KernelRowsTests {
  @Test(arguments: [
    (1, 1, 1), (3, 5, 1), (2, 1000, 1), (2, 3001, 1), (3, 7, 5), (2, 130, 33), (1, 64, 16), (5, 2, 100),
  ])
  func reduce(_ outer: Int, _ n: Int, _ inner: Int) throws {
    let x = H.normal(outer * n * inner, 1).map { $0 + 0.5 }
    for f in [LK_SUM, LK_MEAN, LK_MAX] {
      var expected: [Double] = []
      for o in 0..<outer {
        for i in 0..<inner {
          let column = (0..<n).map { Double(x[(o * n + $0) * inner + i]) }
          let sum = column.reduce(0, +)
          expected.append(f == LK_SUM ? sum : f == LK_MEAN ? sum / Double(n) : column.max() ?? 0)
        }
      }
      try H.check(
        LK_REDUCE, [.input(x), .output(outer * inner)], [Int(f.rawValue), outer, n, inner],
        expect: [1: expected],
        tolerance: 1e-5, "reduce \(f.rawValue)")
    }
  }

  @Test func maximumPassesNaNOn() throws {
    for n in [3, 40] {
      for at in [0, n / 2, n - 1] {
        var x = H.normal(n, 1)
        x[at] = .nan
        try H.check(
          LK_REDUCE, [.input(x), .output(1)], [Int(LK_MAX.rawValue), 1, n, 1], expect: [1: [.nan]])
      }
    }
  }

  @Test(arguments: [(1, 1), (3, 5), (2, 64), (5, 1000), (2, 2049)]) func softmax(_ rows: Int, _ n: Int) throws
  {
    var x = H.normal(rows * n, 1, scale: 4)
    if n > 1 { x[0] = -.infinity }
    var expected: [Double] = []
    for r in 0..<rows {
      let e = (0..<n).map { exp(Double(x[r * n + $0])) }
      expected += e.map { $0 / e.reduce(0, +) }
    }
    try H.check(LK_SOFTMAX, [.input(x), .output(rows * n)], [rows, n], expect: [1: expected])
  }

  @Test(arguments: [(1, 1), (3, 5), (2, 64), (5, 1000), (2, 2049)]) func norms(_ rows: Int, _ n: Int) throws {
    let x = H.normal(rows * n, 1).map { $0 * 2 + 3 }
    let (w, b) = (H.normal(n, 2), H.normal(n, 3))
    for (hasWeight, hasBias) in [(true, true), (true, false), (false, false), (false, true)] {
      for id in [LK_LAYER_NORM, LK_RMS_NORM] {
        var expected: [Double] = []
        for r in 0..<rows {
          let row = (0..<n).map { Double(x[r * n + $0]) }
          let mean = id == LK_LAYER_NORM ? row.reduce(0, +) / Double(n) : 0
          let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
          for j in 0..<n {
            expected.append(
              (row[j] - mean) / (variance + 1e-5).squareRoot() * (hasWeight ? Double(w[j]) : 1)
                + (hasBias ? Double(b[j]) : 0))
          }
        }
        try H.check(
          id, [.input(x), hasWeight ? .input(w) : .absent, hasBias ? .input(b) : .absent, .output(rows * n)],
          [rows, n],
          [1e-5], expect: [3: expected], tolerance: 1e-5)
      }
    }
  }
}
