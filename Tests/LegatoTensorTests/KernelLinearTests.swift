import CKernels
import Foundation
import Testing

private typealias H = KernelHarness

@Suite struct KernelLinearTests {
  struct Weights {
    var slot: KernelSlot
    var scales: KernelSlot
    /// What the stored weights are worth.
    var values: [Float]
    var group: Int
  }

  static func weights(_ format: lk_weight_format, _ n: Int, _ k: Int, group: Int) -> Weights {
    let w = H.normal(n * k, 7)
    switch format {
    case LK_BF16:
      var stored = [UInt16](repeating: 0, count: n * k)
      lk_to_bf16(w, &stored, Int64(n * k))
      var back = w
      lk_from_bf16(stored, &back, Int64(n * k))
      return Weights(
        slot: .bytes(stored.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }), scales: .absent, values: back,
        group: 0)
    case LK_INT8:
      var stored = [Int8](repeating: 0, count: n * k)
      var scales = [Float](repeating: 0, count: n * k / group)
      lk_to_int8(w, &stored, &scales, Int64(n), Int64(k), Int64(group))
      let (slot, beside) = laidOut(format, n, k, group, stored.map { UInt8(bitPattern: $0) }, scales)
      return Weights(
        slot: slot, scales: beside,
        values: (0..<n * k).map { Float(stored[$0]) * scales[$0 / group] }, group: group)
    case LK_INT4:
      let bytes = (k + 1) / 2
      var stored = [UInt8](repeating: 0, count: n * bytes)
      var scales = [Float](repeating: 0, count: n * k / group)
      lk_to_int4(w, &stored, &scales, Int64(n), Int64(k), Int64(group))
      let (slot, beside) = laidOut(format, n, k, group, stored, scales)
      return Weights(
        slot: slot, scales: beside,
        values: (0..<n * k).map { j in
          let byte = stored[j / k * bytes + j % k / 2]
          return Float(Int(j % k % 2 == 1 ? byte >> 4 : byte & 15) - 8) * scales[j / group]
        }, group: group)
    default: return Weights(slot: .input(w), scales: .absent, values: w, group: 0)
    }
  }

  /// What the kernel reads: tiles with the scales, or rows and scales.
  private static func laidOut(
    _ format: lk_weight_format, _ n: Int, _ k: Int, _ group: Int, _ rows: [UInt8], _ scales: [Float]
  ) -> (KernelSlot, KernelSlot) {
    let format = Int32(format.rawValue)
    guard lk_is_tiled(format, Int64(k), Int64(group)) != 0 else { return (.bytes(rows), .input(scales)) }
    var tiles = [UInt8](repeating: 0, count: Int(lk_tiled_bytes(format, Int64(n), Int64(k))))
    lk_tile(format, rows, scales, &tiles, Int64(n), Int64(k))
    return (.bytes(tiles), .absent)
  }

  static let formats = [LK_F32, LK_BF16, LK_INT8, LK_INT4]

  /// Groups of columns of x that kernels round to int8 with these weights; nil where they keep x as it is.
  static func rounding(_ format: lk_weight_format, _ k: Int, group: Int) -> Int? {
    switch format {
    case LK_INT8: k % 64 == 0 && group == 64 ? 64 : nil
    case LK_INT4: k % 32 == 0 && group == 32 ? 32 : nil
    default: nil
    }
  }

  /// x as kernels compute with it: int8 values, a scale a group.
  static func rounded(_ x: [Float], _ group: Int?) -> [Float] {
    guard let group else { return x }
    var out = x
    for start in stride(from: 0, to: x.count, by: group) {
      let largest = x[start..<start + group].map(abs).max() ?? 0
      let (inverse, scale) = (127 / largest, largest / 127)
      for j in start..<start + group {
        out[j] = Float((Double(x[j]) * Double(inverse)).rounded(.toNearestOrEven)) * scale
      }
    }
    return out
  }

  @Test(
    arguments: formats.map(\.rawValue),
    [(1, 1), (3, 5), (16, 16), (64, 33), (100, 7), (130, 70), (96, 200), (256, 37), (384, 70)])
  func products(_ format: UInt32, _ shape: (Int, Int)) throws {
    let (k, n) = shape
    for group in Set([k, k % 32 == 0 ? 32 : k, k % 10 == 0 ? 10 : k, k % 64 == 0 ? 64 : k]) {
      let w = Self.weights(lk_weight_format(format), n, k, group: group)
      for m in [1, 2, 3, 5, 6, 7, 16, 40] {
        let x = H.normal(m * k, 1)
        let read = Self.rounded(x, Self.rounding(lk_weight_format(format), k, group: w.group))
        let bias = H.normal(n, 2)
        var expected: [Double] = []
        for i in 0..<m {
          for j in 0..<n {
            expected.append(
              (0..<k).reduce(Double(bias[j])) { $0 + Double(read[i * k + $1]) * Double(w.values[j * k + $1]) }
            )
          }
        }
        let name = "linear format \(format) M \(m) K \(k) N \(n) group \(group)"
        let slots: [KernelSlot] = [.input(x), w.slot, .input(bias), .output(m * n), w.scales]
        try H.check(
          LK_LINEAR, slots, [m, k, n, Int(format), w.group, -1], expect: [3: expected], tolerance: 3e-6, name)
        if m == 5 {
          try H.check(
            LK_LINEAR, slots, [m, k, n, Int(format), w.group, Int(LK_SILU.rawValue)],
            expect: [3: expected.map { $0 / (1 + exp(-$0)) }], tolerance: 3e-6, name + " silu")
          let (residual, gate) = (H.normal(m * n, 5), H.normal(m * n, 6))
          for isGated in [false, true] {
            try H.check(
              LK_LINEAR, slots + [.input(residual), isGated ? .input(gate) : .absent],
              [m, k, n, Int(format), w.group, -1, 1],
              expect: [
                3: expected.indices.map {
                  Double(residual[$0]) + expected[$0] * (isGated ? Double(gate[$0]) : 1)
                }
              ], tolerance: 3e-6, name + " residual")
          }
        }
      }
    }
  }

  /// A row is the same bytes alone and in any batch.
  @Test(arguments: formats.map(\.rawValue)) func rowsAreIndependent(_ format: UInt32) throws {
    for (k, n, group) in [(100, 77, 100), (256, 130, 64), (256, 61, 32), (33, 9, 33), (90, 41, 30)] {
      let w = Self.weights(lk_weight_format(format), n, k, group: group)
      let x = H.normal(16 * k, 3)
      let bias = H.normal(n, 4)
      for isa in H.isas {
        let all =
          try H.run(
            LK_LINEAR, isa, threads: 2, [.input(x), w.slot, .input(bias), .output(16 * n), w.scales],
            [16, k, n, Int(format), w.group, Int(LK_GELU.rawValue)])[3] ?? []
        for m in [1, 3, 4, 7] {
          for r in [0, 5, 16 - m] {
            let some = try H.run(
              LK_LINEAR, isa,
              [.input(Array(x[r * k..<(r + m) * k])), w.slot, .input(bias), .output(m * n), w.scales],
              [m, k, n, Int(format), w.group, Int(LK_GELU.rawValue)])[3]
            #expect(H.bits(some) == H.bits(Array(all[r * n..<(r + m) * n])), "rows \(r)..<\(r + m) of 16")
          }
        }
      }
    }
  }

  /// What is not finite in x must be seen in every output, since a stream goes by it.
  @Test(arguments: [(LK_INT8.rawValue, 64), (LK_INT4.rawValue, 32)])
  func whatIsNotFiniteStaysSo(_ format: UInt32, _ group: Int) throws {
    let (k, n) = (256, 21)
    let w = Self.weights(lk_weight_format(format), n, k, group: group)
    for value in [Float.nan, .infinity, -.infinity] {
      for place in [0, 77, 255] {
        var x = H.normal(2 * k, 3)
        x[k + place] = value
        for isa in H.isas {
          let out =
            try H.run(
              LK_LINEAR, isa, [.input(x), w.slot, .absent, .output(2 * n), w.scales],
              [2, k, n, Int(format), group, -1])[3] ?? []
          #expect(out[..<n].allSatisfy(\.isFinite) && out[n...].allSatisfy(\.isNaN))
        }
      }
    }
  }

  @Test func absentBias() throws {
    let (m, k, n) = (3, 20, 11)
    let (x, w) = (H.normal(m * k, 1), H.normal(n * k, 2))
    let expected = (0..<m * n).map { o in
      (0..<k).reduce(0.0) { $0 + Double(x[o / n * k + $1]) * Double(w[o % n * k + $1]) }
    }
    try H.check(
      LK_LINEAR, [.input(x), .input(w), .absent, .output(m * n), .absent], [m, k, n, 0, 0, -1],
      expect: [3: expected])
  }

  struct Product: Sendable {
    var batch: [Int]
    var a: [Int]
    var b: [Int]
    var m: Int
    var n: Int
    var k: Int
  }
  /// Batches with strides in matrices: 0 where one operand is shared.
  @Test(arguments: [
    Product(batch: [], a: [], b: [], m: 1, n: 1, k: 1), Product(batch: [3], a: [1], b: [1], m: 5, n: 7, k: 9),
    Product(batch: [2, 3], a: [3, 1], b: [0, 1], m: 4, n: 70, k: 33),
    Product(batch: [2, 2], a: [0, 1], b: [1, 0], m: 49, n: 17, k: 64),
    Product(batch: [1], a: [0], b: [0], m: 100, n: 150, k: 40),
  ])
  func matmul(_ p: Product) throws {
    let batches = p.batch.reduce(1, *)
    let (x, y) = (H.normal(batches * p.m * p.k, 1), H.normal(batches * p.k * p.n, 2))
    func pad4(_ v: [Int]) -> [Int] { v + [Int](repeating: 0, count: 4 - v.count) }
    for transposed in [false, true] {
      var expected: [Double] = []
      for u in 0..<batches {
        var rest = u
        var (oa, ob) = (0, 0)
        for d in stride(from: p.batch.count - 1, through: 0, by: -1) {
          oa += rest % p.batch[d] * p.a[d] * p.m * p.k
          ob += rest % p.batch[d] * p.b[d] * p.k * p.n
          rest /= p.batch[d]
        }
        for i in 0..<p.m {
          for j in 0..<p.n {
            expected.append(
              (0..<p.k).reduce(0.0) {
                $0 + Double(x[oa + i * p.k + $1]) * Double(y[ob + (transposed ? j * p.k + $1 : $1 * p.n + j)])
              })
          }
        }
      }
      try H.check(
        LK_MATMUL, [.input(x), .input(y), .output(batches * p.m * p.n)],
        [p.batch.count] + pad4(p.batch) + pad4(p.a.map { $0 * p.m * p.k }) + pad4(p.b.map { $0 * p.k * p.n })
          + [p.m, p.n, p.k, transposed ? 1 : 0], expect: [2: expected], tolerance: 3e-6,
        "matmul \(p) \(transposed)")
    }
  }
}
