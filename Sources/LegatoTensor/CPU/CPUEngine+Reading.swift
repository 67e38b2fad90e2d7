import CKernels

/// Memory that an engine's threads read and do nothing else with: what a frame costs at least, and what empties the caches.
public final class ReadTest {
  private let engine: CPUEngine
  private let memory: CPUMemory
  private let words = CPUMemory(byteCount: 64 * 4, count: nil)
  private var calls: [lk_call]

  /// - Parameter byteCount: touched at once, so that all of it is there.
  public init(engine: CPUEngine, byteCount: Int) {
    self.engine = engine
    memory = CPUMemory(byteCount: byteCount, count: nil)
    memory.pointer.initializeMemory(as: UInt8.self, repeating: 1, count: byteCount)
    var call = lk_call()
    call.kernel = lk_kernel_for(LK_READ, engine.isa)
    call.p = (memory.pointer, words.pointer, nil, nil, nil, nil, nil, nil, nil, nil)
    call.i.0 = Int64(byteCount)
    call.parallel = engine.threads > 1 ? 64 : 0
    calls = [call]
  }

  public var byteCount: Int { memory.byteCount }

  /// Reads all of it once, with all threads of the engine.
  public func run() { lk_run(engine.pool, &calls, 1) }
}
