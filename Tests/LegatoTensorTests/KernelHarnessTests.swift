import CKernels
import Testing

/// What one operand of a kernel is in a test.
enum KernelSlot {
  case input([Float])
  case integers([Int32])
  case bytes([UInt8])
  case output(Int)
  /// Read and written.
  case state([Float])
  case absent
  case plan(Int)
}

/// Runs kernels on guarded memory: a write outside an operand fails the test.
struct KernelHarness {
  static let isas: [lk_isa] = [
    LK_SCALAR, LK_AVX2, LK_AVX512, LK_AVX512_VNNI, LK_AVX512_BF16, LK_NEON, LK_NEON_DOT,
  ].filter {
    lk_kernel_for(LK_UNARY, $0) != nil
  }
  static let threadCounts: [Int32] = [1, 2, 3]
  private static let guardFloats = 32
  private static let sentinel: Float = 12345.678

  /// Runs the kernel once; the contents of its `output` and `state` slots, by slot.
  static func run(
    _ id: lk_kernel_id, _ isa: lk_isa, threads: Int32 = 1, _ slots: [KernelSlot], _ integers: [Int],
    _ constants: [Float] = []
  ) throws -> [Int: [Float]] {
    var call = lk_call()
    call.kernel = try #require(lk_kernel_for(id, isa) as lk_kernel?)
    call.parallel = 1
    withUnsafeMutableBytes(of: &call.i) { raw in
      for (j, v) in integers.enumerated() { raw.bindMemory(to: Int64.self)[j] = Int64(v) }
    }
    withUnsafeMutableBytes(of: &call.f) { raw in
      for (j, v) in constants.enumerated() { raw.bindMemory(to: Float.self)[j] = v }
    }
    var memory: [(slot: Int, base: UnsafeMutablePointer<Float>, count: Int)] = []
    var plans: [OpaquePointer] = []
    var pointers: [UnsafeMutableRawPointer?] = []
    defer {
      for m in memory { m.base.deallocate() }
      for p in plans { lk_fft_destroy(p) }
    }
    func allocate(_ slot: Int, _ floats: Int) -> UnsafeMutablePointer<Float> {
      let base = UnsafeMutablePointer<Float>.allocate(capacity: floats + 2 * guardFloats)
      base.initialize(repeating: sentinel, count: floats + 2 * guardFloats)
      memory.append((slot, base, floats))
      return base + guardFloats
    }
    for (slot, operand) in slots.enumerated() {
      switch operand {
      case .absent: pointers.append(nil)
      case .output(let count): pointers.append(UnsafeMutableRawPointer(allocate(slot, count)))
      case .input(let values), .state(let values):
        let p = allocate(slot, values.count)
        for (j, v) in values.enumerated() { p[j] = v }
        pointers.append(UnsafeMutableRawPointer(p))
      case .integers(let values):
        let p = UnsafeMutableRawPointer(allocate(slot, values.count))
        values.withUnsafeBytes {
          p.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(p), byteCount: $0.count)
        }
        pointers.append(p)
      case .bytes(let values):
        let p = UnsafeMutableRawPointer(allocate(slot, (values.count + 3) / 4))
        values.withUnsafeBytes {
          p.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(p), byteCount: $0.count)
        }
        pointers.append(p)
      case .plan(let n):
        let plan = try #require(lk_fft_create(Int64(n)))
        plans.append(plan)
        pointers.append(UnsafeMutableRawPointer(plan))
      }
    }
    withUnsafeMutableBytes(of: &call.p) { raw in
      for (j, p) in pointers.enumerated() { raw.bindMemory(to: UnsafeMutableRawPointer?.self)[j] = p }
    }
    let pool = try #require(lk_pool_create(threads) as OpaquePointer?)
    defer { lk_pool_destroy(pool) }
    lk_run(pool, &call, 1)

    var results: [Int: [Float]] = [:]
    for m in memory {
      let guards =
        Array(UnsafeBufferPointer(start: m.base, count: guardFloats))
        + Array(UnsafeBufferPointer(start: m.base + guardFloats + m.count, count: guardFloats))
      #expect(guards.allSatisfy { $0 == sentinel }, "wrote outside operand \(m.slot)")
      let values = Array(UnsafeBufferPointer(start: m.base + guardFloats, count: m.count))
      switch slots[m.slot] {
      case .output, .state: results[m.slot] = values
      case .input(let given):
        #expect(values.map(\.bitPattern) == given.map(\.bitPattern), "wrote to input \(m.slot)")
      default: break
      }
    }
    return results
  }

  /// Every instruction set of this machine against the reference, and every thread count against one thread, bit for bit.
  static func check(
    _ id: lk_kernel_id, _ slots: [KernelSlot], _ integers: [Int], _ constants: [Float] = [],
    expect reference: [Int: [Double]], tolerance: Double = 2e-6, _ name: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for isa in isas {
      let one = try run(id, isa, slots, integers, constants)
      for (slot, expected) in reference {
        let got = one[slot] ?? []
        try #require(got.count == expected.count, sourceLocation: sourceLocation)
        let worst = largestError(got, expected)
        #expect(
          worst.error <= tolerance,
          "\(name) \(String(cString: lk_isa_name(isa))) slot \(slot) at \(worst.index): \(worst.index >= 0 ? got[worst.index] : 0) instead of \(worst.index >= 0 ? expected[worst.index] : 0)",
          sourceLocation: sourceLocation)
      }
      for threads in threadCounts.dropFirst() {
        let several = try run(id, isa, threads: threads, slots, integers, constants)
        for (slot, values) in one {
          #expect(
            several[slot]?.map(\.bitPattern) == values.map(\.bitPattern),
            "\(name) \(String(cString: lk_isa_name(isa))), \(threads) threads: slot \(slot) differs",
            sourceLocation: sourceLocation)
        }
      }
    }
  }

  /// |a − b| / max(|b|, RMS of b); not-a-number and infinities must match exactly.
  static func largestError(_ got: [Float], _ expected: [Double]) -> (error: Double, index: Int) {
    let finite = expected.filter(\.isFinite)
    let rms = (finite.reduce(0) { $0 + $1 * $1 } / Double(max(1, finite.count))).squareRoot()
    var worst = (error: 0.0, index: -1)
    for (j, (a, b)) in zip(got, expected).enumerated() {
      let x = Double(a)
      let error: Double
      if b.isNaN || x.isNaN {
        error = b.isNaN && x.isNaN ? 0 : .infinity
      } else if b.isInfinite || x.isInfinite {
        error = x == b ? 0 : .infinity
      } else {
        error = abs(x - b) / max(abs(b), rms, 1e-30)
      }
      if error > worst.error { worst = (error, j) }
    }
    return worst
  }

  static func normal(_ count: Int, _ stream: Int, scale: Float = 1) -> [Float] {
    var values = [Float](repeating: 0, count: count)
    lk_normal(2024, UInt64(stream), 0, &values, Int64(count))
    return values.map { $0 * scale }
  }
  static func bits(_ values: [Float]?) -> [UInt32] { (values ?? []).map(\.bitPattern) }
}
