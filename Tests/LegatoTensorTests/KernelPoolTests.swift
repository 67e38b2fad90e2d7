import CKernels
import Testing

@Suite struct KernelPoolTests {
  private func call(
    _ count: Int, _ c: Float, _ x: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    parallel: Bool
  )
    -> lk_call
  {
    var call = lk_call()
    call.kernel = lk_kernel_for(LK_SCALAR_OP, lk_best_isa())
    call.p.0 = UnsafeMutableRawPointer(x)
    call.p.1 = UnsafeMutableRawPointer(y)
    call.i.0 = Int64(count)
    call.i.1 = Int64(LK_ADD.rawValue)
    call.f.0 = c
    call.parallel = parallel ? 1 : 0
    return call
  }

  /// A long chain of calls, each of which reads what the one before wrote, over changing shares.
  @Test(arguments: [1, 2, 3, 5]) func callsWaitForEachOther(_ threads: Int32) throws {
    let pool = try #require(lk_pool_create(threads) as OpaquePointer?)
    defer { lk_pool_destroy(pool) }
    #expect(lk_pool_threads(pool) == threads)
    let n = 5000
    let x = UnsafeMutablePointer<Float>.allocate(capacity: n)
    let y = UnsafeMutablePointer<Float>.allocate(capacity: n)
    defer {
      x.deallocate()
      y.deallocate()
    }
    x.initialize(repeating: 0, count: n)
    y.initialize(repeating: 0, count: n)
    for round in 0..<30 {
      // The whole, then a reversed half by the caller alone, then the whole again.
      var plan: [lk_call] = []
      for step in 0..<40 {
        plan.append(call(n, 1, x, y, parallel: true))
        plan.append(call(n, 1, y, x, parallel: step % 3 != 0))
      }
      lk_run(pool, plan, Int64(plan.count))
      let expected = Float((round + 1) * 80)
      #expect((0..<n).allSatisfy { x[$0] == expected })
    }
    lk_run(pool, [], 0)
  }

  /// Workers that have gone to sleep are woken.
  @Test func sleepersWake() async throws {
    let pool = try #require(lk_pool_create(3) as OpaquePointer?)
    defer { lk_pool_destroy(pool) }
    let n = 4000
    let x = UnsafeMutablePointer<Float>.allocate(capacity: n)
    defer { x.deallocate() }
    x.initialize(repeating: 0, count: n)
    let plan = [call(n, 1, x, x, parallel: true)]
    for round in 1...20 {
      lk_run(pool, plan, 1)
      #expect((0..<n).allSatisfy { x[$0] == Float(round) })
      try await Task.sleep(for: .milliseconds(round % 4))
    }
  }

  @Test func manyPools() throws {
    for threads: Int32 in [1, 2, 4, 2, 3, 1, 8] {
      lk_pool_destroy(try #require(lk_pool_create(threads) as OpaquePointer?))
    }
    lk_pool_destroy(nil)
  }

  /// Denormals are zero inside a run and what they were outside it.
  @Test(arguments: [1, 2]) func denormals(_ threads: Int32) throws {
    let pool = try #require(lk_pool_create(threads) as OpaquePointer?)
    defer { lk_pool_destroy(pool) }
    let n = 4096
    let x = UnsafeMutablePointer<Float>.allocate(capacity: n)
    defer { x.deallocate() }
    x.initialize(repeating: Float(bitPattern: 71362), count: n)
    lk_run(pool, [call(n, 0, x, x, parallel: true)], 1)
    #expect((0..<n).allSatisfy { x[$0] == 0 })
    var small = Float(bitPattern: 71362)
    small = withUnsafePointer(to: &small) { $0.pointee } * 0.5
    #expect(small > 0)
  }

  @Test func dispatch() {
    #expect(lk_kernel_for(LK_KERNEL_COUNT, LK_SCALAR) == nil)
    for id in 0..<LK_KERNEL_COUNT.rawValue {
      for isa in KernelHarness.isas { #expect(lk_kernel_for(lk_kernel_id(id), isa) != nil, "kernel \(id)") }
    }
    #expect(KernelHarness.isas.contains(lk_best_isa()))
    #expect(String(cString: lk_isa_name(LK_AVX512)) == "avx512")
  }
}
