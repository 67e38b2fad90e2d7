import CKernels
import Foundation
import Testing

private typealias H = KernelHarness

@Suite struct KernelAttentionTests {
  struct Shape: Sendable {
    var b = 1
    var t: Int
    var h: Int
    var d: Int
    var window: Int
    var sinks = 0
    var count: Int { b * t * h * d }
  }

  static func reference(
    _ s: Shape, _ q: [Float], _ k: [Float], _ v: [Float], _ sk: [Float], _ sv: [Float], _ scale: Float
  )
    -> [Double]
  {
    var out = [Double](repeating: 0, count: s.count)
    for b in 0..<s.b {
      for h in 0..<s.h {
        for t in 0..<s.t {
          func at(_ t: Int) -> Int { ((b * s.t + t) * s.h + h) * s.d }
          let places = max(0, t - s.window + 1)...t
          let sinkAt = (0..<s.sinks).map { ($0 * s.h + h) * s.d }
          let keys = sinkAt.map { sk[$0..<$0 + s.d] } + places.map { k[at($0)..<at($0) + s.d] }
          let values = sinkAt.map { sv[$0..<$0 + s.d] } + places.map { v[at($0)..<at($0) + s.d] }
          let query = q[at(t)..<at(t) + s.d]
          let scores = keys.map {
            zip(query, $0).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } * Double(scale)
          }
          let top = scores.max() ?? 0
          let e = scores.map { exp($0 - top) }
          let sum = e.reduce(0, +)
          for (p, value) in zip(e, values) {
            for (j, x) in value.enumerated() { out[at(t) + j] += p / sum * Double(x) }
          }
        }
      }
    }
    return out
  }

  static let shapes = [
    Shape(t: 1, h: 1, d: 4, window: 1), Shape(t: 9, h: 2, d: 7, window: 4, sinks: 1),
    Shape(b: 2, t: 70, h: 3, d: 16, window: 20, sinks: 2), Shape(t: 200, h: 2, d: 64, window: 96, sinks: 1),
    Shape(b: 2, t: 150, h: 1, d: 72, window: 1000), Shape(t: 130, h: 2, d: 33, window: 65, sinks: 70),
  ]

  @Test(arguments: shapes) func offlineAndStream(_ s: Shape) throws {
    let (q, k, v) = (H.normal(s.count, 1), H.normal(s.count, 2), H.normal(s.count, 3))
    let (sk, sv) = (H.normal(s.sinks * s.h * s.d, 4), H.normal(s.sinks * s.h * s.d, 5))
    let scale = 1 / Float(s.d).squareRoot() * 2
    let sinks: [KernelSlot] = s.sinks == 0 ? [.absent, .absent] : [.input(sk), .input(sv)]
    let slots: [KernelSlot] = [.input(q), .input(k), .input(v)] + sinks + [.output(s.count)]
    let ints = [s.b, s.t, s.h, s.d, s.window, s.sinks]
    try H.check(
      LK_ATTENTION, slots, ints, [scale], expect: [5: Self.reference(s, q, k, v, sk, sv, scale)],
      tolerance: 5e-6)

    // The stream gives the same bits in any chunks.
    let row = s.h * s.d
    func part(_ x: [Float], _ t0: Int, _ t1: Int) -> [Float] {
      (0..<s.b).flatMap { Array(x[($0 * s.t + t0) * row..<($0 * s.t + t1) * row]) }
    }
    for isa in H.isas {
      let offline = try H.run(LK_ATTENTION, isa, slots, ints, [scale])[5] ?? []
      for chunk in [1, 3, 17, 64, 1000] where chunk == 1 || chunk <= s.t || chunk == 1000 {
        var cacheK = [Float](repeating: .nan, count: s.b * s.window * row)
        var cacheV = cacheK
        var t0 = 0
        while t0 < s.t {
          let t1 = min(s.t, t0 + chunk)
          let n = s.b * (t1 - t0) * row
          let result = try H.run(
            LK_ATTENTION_STREAM, isa, threads: 2,
            [.input(part(q, t0, t1)), .input(part(k, t0, t1)), .input(part(v, t0, t1))] + sinks
              + [.state(cacheK), .state(cacheV), .integers([Int32(t0)]), .output(n)],
            [s.b, t1 - t0, s.h, s.d, s.window, s.sinks], [scale])
          #expect(H.bits(result[8]) == H.bits(part(offline, t0, t1)), "chunk of \(chunk) at \(t0)")
          cacheK = result[5] ?? []
          cacheV = result[6] ?? []
          t0 = t1
        }
      }
    }
  }

  /// What comes later, or lies outside the window, changes nothing, not even if it is not a number.
  @Test func causalAndWindowed() throws {
    let s = Shape(t: 140, h: 1, d: 16, window: 10)
    let (q, k, v) = (H.normal(s.count, 1), H.normal(s.count, 2), H.normal(s.count, 3))
    for isa in H.isas {
      func run(_ k: [Float], _ v: [Float]) throws -> [Float] {
        try H.run(
          LK_ATTENTION, isa, [.input(q), .input(k), .input(v), .absent, .absent, .output(s.count)],
          [1, s.t, 1, s.d, s.window, 0], [0.25])[5] ?? []
      }
      let clean = try run(k, v)
      var (k2, v2) = (k, v)
      for j in 70 * 16..<71 * 16 { (k2[j], v2[j]) = (.nan, .infinity) }
      let dirty = try run(k2, v2)
      #expect(H.bits(Array(clean[..<(70 * 16)])) == H.bits(Array(dirty[..<(70 * 16)])))
      #expect(H.bits(Array(clean[(80 * 16)...])) == H.bits(Array(dirty[(80 * 16)...])))
      #expect(dirty[70 * 16].isNaN && dirty[79 * 16].isNaN)
    }
  }

  @Test(arguments: [(1, 3, 2, 8, 4), (2, 5, 3, 10, 3), (1, 2, 1, 66, 33), (1, 1, 4, 64, 24)])
  func rotary(_ b: Int, _ t: Int, _ h: Int, _ d: Int, _ pairs: Int) throws {
    let x = H.normal(b * t * h * d, 1)
    let positions = [0, 3, 100_000, 20_000_000, 77].prefix(t).map { Int32($0) }
    var expected = [Double](repeating: 0, count: x.count)
    for r in 0..<b * t * h {
      for j in 0..<d / 2 {
        let angle = j < pairs ? Double(positions[r / h % t]) * pow(10000, -2 * Double(j) / Double(d)) : 0
        let (p, q) = (Double(x[r * d + j]), Double(x[r * d + j + d / 2]))
        expected[r * d + j] = p * cos(angle) - q * sin(angle)
        expected[r * d + j + d / 2] = q * cos(angle) + p * sin(angle)
      }
    }
    try H.check(
      LK_ROTARY, [.input(x), .integers(Array(positions)), .output(x.count)], [b, t, h, d, pairs], [10000],
      expect: [2: expected])
  }
}
