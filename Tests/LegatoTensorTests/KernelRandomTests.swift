import CKernels
import Foundation
import Testing

@Suite struct KernelRandomTests {
  /// Random123's known-answer vectors for philox4x32-10.
  @Test func philoxKnownAnswers() {
    func block(_ key: UInt64, _ stream: UInt64, _ index: UInt64) -> [UInt32] {
      var out = [UInt32](repeating: 0, count: 4)
      lk_philox(key, stream, index, &out)
      return out
    }
    #expect(block(0, 0, 0) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    #expect(block(.max, .max, .max) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
    #expect(
      block(0x299f_31d0_a409_3822, 0x0370_7344_1319_8a2e, 0x85a3_08d3_243f_6a88)
        == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
  }

  @Test func anyRangeGivesTheSameValues() {
    for (make, name) in [(lk_uniform, "uniform"), (lk_normal, "normal")] {
      var all = [Float](repeating: 0, count: 1000)
      make(5, 9, 1_000_003, &all, 1000)
      for (offset, count) in [(0, 1), (1, 2), (3, 500), (997, 3), (2, 4), (5, 0)] {
        var some = [Float](repeating: 0, count: count)
        make(5, 9, UInt64(1_000_003 + offset), &some, Int64(count))
        #expect(some == Array(all[offset..<offset + count]), "\(name) \(offset) \(count)")
      }
    }
  }

  @Test func distributions() {
    let n = 200_000
    var u = [Float](repeating: 0, count: n)
    lk_uniform(1, 2, 0, &u, Int64(n))
    #expect(u.allSatisfy { $0 > 0 && $0 < 1 })
    let mean = u.reduce(0.0) { $0 + Double($1) } / Double(n)
    #expect(abs(mean - 0.5) < 0.003)
    var z = u
    lk_normal(1, 3, 0, &z, Int64(n))
    let moments = (1...4).map { p in z.reduce(0.0) { $0 + pow(Double($1), Double(p)) } / Double(n) }
    #expect(
      abs(moments[0]) < 0.01 && abs(moments[1] - 1) < 0.02 && abs(moments[2]) < 0.04
        && abs(moments[3] - 3) < 0.15)
  }

  /// Normals against Box-Muller in the system's library, and their exact bits, which every machine must give.
  @Test func normals() {
    let n = 4096
    var z = [Float](repeating: 0, count: n)
    lk_normal(42, 7, 0, &z, Int64(n))
    for block in 0..<n / 4 {
      var words = [UInt32](repeating: 0, count: 4)
      lk_philox(42, 7, UInt64(block), &words)
      for j in [0, 2] {
        let radius = (-2 * log((Double(words[j]) + 0.5) / 4_294_967_296)).squareRoot()
        let angle = 2 * Double.pi * (Double(words[j + 1]) + 0.5) / 4_294_967_296
        #expect(abs(Double(z[4 * block + j]) - radius * cos(angle)) < 5e-7)
        #expect(abs(Double(z[4 * block + j + 1]) - radius * sin(angle)) < 5e-7)
      }
    }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for v in z { hash = (hash ^ UInt64(v.bitPattern)) &* 0x100_0000_01b3 }
    #expect(hash == 0x1743_91e5_fc9e_369e)
  }

  @Test func conversions() {
    let values: [Float] = [
      0, -0.0, 1, -1, 3.14159, 1e-30, 65504, 1.00390625, 1.01171875, 1.00390637, .infinity, -.infinity,
      .greatestFiniteMagnitude,
    ]
    var half = [UInt16](repeating: 0, count: values.count)
    lk_to_bf16(values, &half, Int64(values.count))
    var back = values
    lk_from_bf16(half, &back, Int64(values.count))
    // Ties go to even: 1 + 2^-8 down to 1, 1 + 3 * 2^-8 up to 1 + 2^-6; a hair above a tie goes up; overflow is infinite.
    #expect(back[0].bitPattern == 0 && back[1].bitPattern == 0x8000_0000 && back[2] == 1 && back[3] == -1)
    #expect(back[7] == 1 && back[8] == 1.015625 && back[9] == 1.0078125)
    #expect(back[10] == .infinity && back[11] == -.infinity && back[12] == .infinity)
    for (a, b) in zip(values, back).prefix(10) { #expect(abs(a - b) <= abs(a) / 256) }
    var nan: [UInt16] = [0]
    lk_to_bf16([Float(bitPattern: 0x7f80_0001)], &nan, 1)
    #expect(Float(bitPattern: UInt32(nan[0]) << 16).isNaN)

    let x: [Float] = [1, -127, 63.5, 0.5, 0, 0, 0, 0, -2, 1, 0.5, 2]
    var q = [Int8](repeating: 1, count: 12)
    var scales = [Float](repeating: 0, count: 3)
    lk_to_int8(x, &q, &scales, 1, 12, 4)
    #expect(scales == [1, 0, 2 / 127] && q == [1, -127, 64, 0, 0, 0, 0, 0, -127, 64, 32, 127])
    var nibbles = [UInt8](repeating: 0, count: 4)
    lk_to_int4([7, -7, 3, 0, 1], &nibbles, &scales, 1, 5, 5)
    #expect(scales[0] == 1 && nibbles[0] == 0x1f && nibbles[1] == 0x8b && nibbles[2] & 15 == 9)
  }
}
