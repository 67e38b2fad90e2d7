import CKernels
import Foundation
import Testing

private typealias H = KernelHarness

@Suite struct KernelSignalTests {
  @Test(arguments: [2, 4, 6, 10, 30, 60, 64, 128, 150, 250, 256, 512, 960, 1920, 2048, 4096, 16384])
  func fourier(_ n: Int) throws {
    let rows = n > 3000 ? 1 : 3
    let m = n / 2
    let x = H.normal(rows * n, 1)
    let table = (0..<n).map {
      (cos(2 * Double.pi * Double($0) / Double(n)), sin(2 * Double.pi * Double($0) / Double(n)))
    }
    // Large sizes are checked at some bins only.
    let bins = n <= 2048 ? Array(0...m) : [0, 1, 2, 77, m / 2, m - 1, m]
    for isa in H.isas {
      let got = try H.run(LK_RFFT, isa, [.input(x), .output(rows * (n + 2)), .plan(n)], [rows, n])[1] ?? []
      for threads: Int32 in [2, 3] {
        let several = try H.run(
          LK_RFFT, isa, threads: threads, [.input(x), .output(rows * (n + 2)), .plan(n)], [rows, n])[1]
        #expect(H.bits(several) == H.bits(got))
      }
      for r in 0..<rows {
        for k in bins {
          var (re, im) = (0.0, 0.0)
          for j in 0..<n {
            let w = table[j * k % n]
            re += Double(x[r * n + j]) * w.0
            im -= Double(x[r * n + j]) * w.1
          }
          let limit = 2e-6 * Double(n).squareRoot()
          #expect(abs(Double(got[r * (n + 2) + k]) - re) < limit, "re \(k) of \(n)")
          #expect(abs(Double(got[r * (n + 2) + m + 1 + k]) - im) < limit, "im \(k) of \(n)")
        }
      }
    }
    try H.check(
      LK_IRFFT, [.input(spectrum(x, rows, n)), .output(rows * n), .plan(n)], [rows, n],
      expect: [1: x.map { Double($0) }], tolerance: 2e-6, "irfft \(n)")
  }

  /// The spectrum, with rubbish where the inverse must not look.
  private func spectrum(_ x: [Float], _ rows: Int, _ n: Int) throws -> [Float] {
    var y =
      try H.run(LK_RFFT, LK_SCALAR, [.input(x), .output(rows * (n + 2)), .plan(n)], [rows, n])[1] ?? []
    for r in 0..<rows {
      y[r * (n + 2) + n / 2 + 1] = 3
      y[r * (n + 2) + n + 1] = -5
    }
    return y
  }

  @Test func impossibleSizes() {
    for n: Int64 in [0, 1, 3, 14, 15, 22, 16386, 32768, -2] { #expect(lk_fft_create(n) == nil) }
  }

  @Test(arguments: [(1, 1, 1, 1), (2, 5, 7, 3), (1, 40, 33, 7), (2, 150, 64, 4), (1, 9, 20, 200)])
  func depthwise(_ b: Int, _ t: Int, _ c: Int, _ k: Int) throws {
    let (x, w, bias) = (H.normal(b * t * c, 1), H.normal(c * k, 2), H.normal(c, 3))
    var expected: [Double] = []
    for o in 0..<b * t * c {
      let (u, ch) = (o / c, o % c)
      expected.append(
        (0..<k).reduce(Double(bias[ch])) { sum, j in
          let s = u % t - k + 1 + j
          return s < 0 ? sum : sum + Double(w[ch * k + j]) * Double(x[(u / t * t + s) * c + ch])
        })
    }
    try H.check(
      LK_DEPTHWISE, [.input(x), .input(w), .input(bias), .output(x.count)], [b, t, c, k],
      expect: [3: expected], tolerance: 3e-6)

    for isa in H.isas {
      let offline =
        try H.run(LK_DEPTHWISE, isa, [.input(x), .input(w), .input(bias), .output(x.count)], [b, t, c, k])[3]
        ?? []
      for chunk in [1, 2, 5, t] {
        var tail = [Float](repeating: 0, count: b * (k - 1) * c)
        for t0 in stride(from: 0, to: t, by: chunk) {
          let t1 = min(t, t0 + chunk)
          func part(_ x: [Float]) -> [Float] {
            (0..<b).flatMap { Array(x[($0 * t + t0) * c..<($0 * t + t1) * c]) }
          }
          let result = try H.run(
            LK_DEPTHWISE_STREAM, isa, threads: 2,
            [.input(part(x)), .input(w), .input(bias), .state(tail), .output(b * (t1 - t0) * c)],
            [b, t1 - t0, c, k])
          #expect(result[4] == part(offline))
          tail = result[3] ?? []
        }
      }
    }
  }

  @Test(arguments: [(1, 5, 8, 2), (2, 4, 10, 10), (2, 7, 30, 7), (1, 3, 5, 1), (1, 6, 1920, 480)])
  func frames(_ batch: Int, _ frames: Int, _ size: Int, _ hop: Int) throws {
    let length = (frames - 1) * hop + size
    let x = H.normal(batch * length, 1)
    let y = H.normal(batch * frames * size, 2)
    var framed: [Double] = []
    for u in 0..<batch * frames {
      for j in 0..<size { framed.append(Double(x[u / frames * length + u % frames * hop + j])) }
    }
    try H.check(
      LK_FRAME, [.input(x), .output(framed.count)], [batch, length, frames, size, hop], expect: [1: framed],
      tolerance: 0)
    var added = [Double](repeating: 0, count: batch * length)
    for u in 0..<batch * frames {
      for j in 0..<size { added[u / frames * length + u % frames * hop + j] += Double(y[u * size + j]) }
    }
    try H.check(
      LK_OVERLAP_ADD, [.input(y), .output(added.count)], [batch, frames, size, hop], expect: [1: added])

    // Streams: frame j of a stream ends where hop j + 1 ends, so the framing has size − hop zeros before it.
    let samples = frames * hop
    let z = H.normal(batch * samples, 3)
    for isa in H.isas {
      let offline =
        try H.run(LK_OVERLAP_ADD, isa, [.input(y), .output(batch * length)], [batch, frames, size, hop])[1]
        ?? []
      for chunk in [1, 2, frames] {
        var tail = [Float](repeating: 0, count: batch * (size - hop))
        var frameTail = tail
        for f0 in stride(from: 0, to: frames, by: chunk) {
          let f1 = min(frames, f0 + chunk)
          let n = f1 - f0
          let result = try H.run(
            LK_OVERLAP_ADD_STREAM, isa, threads: 2,
            [
              .input((0..<batch).flatMap { Array(y[($0 * frames + f0) * size..<($0 * frames + f1) * size]) }),
              .state(tail),
              .output(batch * n * hop),
            ], [batch, n, size, hop])
          #expect(
            H.bits(result[2])
              == H.bits(
                (0..<batch).flatMap { Array(offline[$0 * length + f0 * hop..<$0 * length + f1 * hop]) }))
          tail = result[1] ?? []
          let framing = try H.run(
            LK_FRAME_STREAM, isa, threads: 2,
            [
              .input((0..<batch).flatMap { Array(z[$0 * samples + f0 * hop..<$0 * samples + f1 * hop]) }),
              .state(frameTail),
              .output(batch * n * size),
            ], [batch, n, size, hop])
          var expected: [Float] = []
          for b in 0..<batch {
            for f in f0..<f1 {
              for j in 0..<size {
                let at = (f + 1) * hop - size + j
                expected.append(at < 0 ? 0 : z[b * samples + at])
              }
            }
          }
          #expect(framing[2] == expected)
          frameTail = framing[1] ?? []
        }
        #expect(
          H.bits(tail)
            == H.bits((0..<batch).flatMap { Array(offline[$0 * length + samples..<($0 + 1) * length]) }))
      }
    }
  }

  @Test func copies() throws {
    // [4, 5, 67] to [67, 4, 5]; a slice; a flip; a broadcast; into the middle of a larger tensor.
    let x = H.normal(4 * 5 * 67, 1)
    func copy(_ dims: [Int], _ si: [Int], _ so: [Int], _ oi: Int, _ oo: Int, _ count: Int) throws {
      var expected = [Double](repeating: Double(Float(12345.678)), count: count)
      let total = dims.reduce(1, *)
      for j in 0..<total {
        var rest = j
        var (a, b) = (oi, oo)
        for d in stride(from: dims.count - 1, through: 0, by: -1) {
          a += rest % dims[d] * si[d]
          b += rest % dims[d] * so[d]
          rest /= dims[d]
        }
        expected[b] = Double(x[a])
      }
      func pad6(_ v: [Int]) -> [Int] { v + [Int](repeating: 0, count: 6 - v.count) }
      try H.check(
        LK_COPY, [.input(x), .output(count)], [dims.count] + pad6(dims) + pad6(si) + pad6(so) + [oi, oo],
        expect: [1: expected], tolerance: 0, "copy \(dims) \(si)")
    }
    try copy([67, 4, 5], [1, 335, 67], [20, 5, 1], 0, 0, 1340)
    try copy([5, 4, 67], [67, 335, 1], [268, 67, 1], 0, 0, 1340)
    try copy([4, 5, 10], [335, 67, 1], [50, 10, 1], 20, 0, 200)
    try copy([5, 67], [-67, -1], [67, 1], 334, 0, 335)
    try copy([3, 67], [0, 1], [67, 1], 67, 0, 201)
    try copy([3, 67], [1, 0], [67, 1], 0, 0, 201)
    try copy([5, 67], [67, 1], [200, 2], 0, 7, 1000)
    try copy([], [], [], 5, 3, 10)
    try copy([1, 1340], [0, 1], [0, 1], 0, 0, 1340)
  }

  @Test func gather() throws {
    let table = H.normal(7 * 13, 1)
    let indices: [Int32] = [3, 0, 6, 7, -1, 3]
    try H.check(
      LK_GATHER, [.input(table), .integers(indices), .output(6 * 13)], [6, 13, 7],
      expect: [
        2: (0..<6 * 13).map {
          (0..<7).contains(indices[$0 / 13]) ? Double(table[Int(indices[$0 / 13]) * 13 + $0 % 13]) : 0
        }
      ],
      tolerance: 0)
  }
}
