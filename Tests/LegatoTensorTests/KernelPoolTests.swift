import CKernels
import Foundation
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

  /// Adds 1 to each of `count` numbers in place, so that a share that is left out and one that is done twice both show.
  /// Now and then (i.1, per mille) the thread sleeps with the share in its hands.
  private func counting(
    _ x: UnsafeMutablePointer<Float>, _ count: Int, stopping: Int = 0, shares: Int32 = 1
  ) -> lk_call {
    var call = lk_call()
    call.kernel = { call, share, shares in
      guard let call = call?.pointee, let x = call.p.0?.assumingMemoryBound(to: Float.self) else { return }
      if call.i.1 > 0, Int64.random(in: 0..<1000) < call.i.1 { usleep(.random(in: 0..<300)) }
      let n = call.i.0
      for j in n * Int64(share) / Int64(shares)..<n * Int64(share + 1) / Int64(shares) { x[Int(j)] += 1 }
    }
    call.p.0 = UnsafeMutableRawPointer(x)
    call.i.0 = Int64(count)
    call.i.1 = Int64(stopping)
    call.parallel = shares
    return call
  }

  /// Runs plans on a pool of its own; how many results were wrong.
  private func run(threads: Int32, late: Bool, stopping: Int) -> Int {
    let gate: @convention(c) (UnsafeMutableRawPointer?) -> Void =
      late ? { _ in if Int.random(in: 0..<10) == 0 { usleep(.random(in: 0..<200)) } } : { _ in }
    guard let pool = lk_pool_create_gated(threads, gate, nil) else { return -1 }
    let n = 257
    let x = UnsafeMutablePointer<Float>.allocate(capacity: n)
    x.initialize(repeating: 0, count: n)
    var (wrong, expected) = (0, Float(0))
    for _ in 0..<400 {
      // The plan is gone once it has run: a sanitizer would find a late worker that looked at it.
      let plan = (0..<Int.random(in: 1...6)).map { _ in
        counting(x, n, stopping: stopping, shares: .random(in: 0...70))
      }
      lk_run(pool, plan, Int64(plan.count))
      expected += Float(plan.count)
      wrong += (0..<n).count { x[$0] != expected }
      if Int.random(in: 0..<50) == 0 { usleep(.random(in: 0..<200)) }
    }
    lk_pool_destroy(pool)
    x.deallocate()
    return wrong
  }

  /// Several pools at once with more threads than processors; workers come late, or stop in the middle of a share.
  @Test func stress() async {
    let wrong = await withTaskGroup(of: Int.self) { group in
      for (user, threads) in ([2, 3, 4, 8, 2, 5, 16, 32] as [Int32]).enumerated() {
        group.addTask {
          await withCheckedContinuation { done in
            // Threads of their own: the tasks' are as few as the processors.
            Thread.detachNewThread {
              done.resume(
                returning: run(threads: threads, late: user % 2 == 0, stopping: user % 4 < 2 ? 0 : 5))
            }
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(wrong == [Int](repeating: 0, count: 8))
  }

  /// The caller does everything when no worker ever gets to work. It would wait for ever if it waited for one.
  /// The limit is of waiting for other tests, too, which leave few threads.
  @Test(.timeLimit(.minutes(10)), arguments: [2, 8, 32]) func aloneAmongBlockedWorkers(_ threads: Int32)
    throws
  {
    let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    pthread_mutex_lock(lock)
    let blocked: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
      guard let lock = context?.assumingMemoryBound(to: pthread_mutex_t.self) else { return }
      pthread_mutex_lock(lock)
      pthread_mutex_unlock(lock)
    }
    let pool = try #require(lk_pool_create_gated(threads, blocked, lock) as OpaquePointer?)
    let n = 1000
    let x = UnsafeMutablePointer<Float>.allocate(capacity: n)
    x.initialize(repeating: 0, count: n)
    let plan = [lk_call](repeating: counting(x, n), count: 500)
    lk_run(pool, plan, Int64(plan.count))
    #expect((0..<n).allSatisfy { x[$0] == 500 })
    pthread_mutex_unlock(lock)
    // Workers that were held up on one call take part in another as if nothing had been.
    lk_run(pool, plan, Int64(plan.count))
    #expect((0..<n).allSatisfy { x[$0] == 1000 })
    lk_pool_destroy(pool)
    pthread_mutex_destroy(lock)
    lock.deallocate()
    x.deallocate()
  }

  /// Threads that cannot all run cost little against one that works alone.
  @Test func farMoreThreadsThanProcessors() throws {
    let one = try #require(lk_pool_create(1) as OpaquePointer?)
    let many = try #require(lk_pool_create(32) as OpaquePointer?)
    defer {
      lk_pool_destroy(one)
      lk_pool_destroy(many)
    }
    let n = 20_000
    let x = UnsafeMutablePointer<Float>.allocate(capacity: n)
    defer { x.deallocate() }
    x.initialize(repeating: 0, count: n)
    let plan = [lk_call](repeating: call(n, 1, x, x, parallel: true), count: 400)
    func time(_ pool: OpaquePointer) -> Duration {
      ContinuousClock().measure { lk_run(pool, plan, Int64(plan.count)) }
    }
    let times = (0..<21).map { _ in (time(one), time(many)) }
    let (alone, together) = (times.map(\.0).sorted()[10], times.map(\.1).sorted()[10])
    #expect(together < alone * 5 + .milliseconds(2), "32 threads \(together), one \(alone)")
    #expect((0..<n).allSatisfy { x[$0] == Float(42 * 400) })
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
