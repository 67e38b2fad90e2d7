#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which threads a ``RealtimeStream``'s engine goes before.
public enum EnginePriority: Int32, Sendable, CaseIterable {
  /// Behind other work: for music that is made ahead of time.
  case low = -1
  /// As any thread.
  case normal = 0
  /// Before other work, where the system permits it: on Linux that takes rights or a limit of nice values (`ulimit -e`).
  case high = 1
}

/// A thread of our own, which runs one function.
struct EngineThread: Sendable {
  #if canImport(Darwin)
    private let handle: UInt
  #else
    private let handle: pthread_t
  #endif

  private final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    static func run(_ argument: UnsafeMutableRawPointer) {
      Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
    }
  }

  /// Throws ``GenerationError`` where the system gives no thread.
  init(_ body: @escaping @Sendable () -> Void) throws {
    let work = Unmanaged.passRetained(Work(body))
    // Signals go to the application's own threads.
    var (every, before) = (sigset_t(), sigset_t())
    sigfillset(&every)
    pthread_sigmask(SIG_SETMASK, &every, &before)
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    // Kernels keep rows of a transform on the stack, and some systems give little.
    pthread_attr_setstacksize(attributes, 1 << 20)
    defer {
      pthread_attr_destroy(attributes)
      attributes.deallocate()
      pthread_sigmask(SIG_SETMASK, &before, nil)
    }
    #if canImport(Darwin)
      var made: pthread_t?
      let failure = pthread_create(
        &made, attributes,
        {
          Work.run($0)
          return nil
        }, work.toOpaque())
      handle = UInt(bitPattern: made)
    #else
      var made = pthread_t()
      let failure = pthread_create(
        &made, attributes,
        {
          if let argument = $0 { Work.run(argument) }
          return nil
        }, work.toOpaque())
      handle = made
    #endif
    if failure != 0 {
      work.release()
      throw GenerationError(
        "the system gives no thread to make music on: \(String(cString: strerror(failure)))")
    }
  }

  /// Waits for its end.
  func join() {
    #if canImport(Darwin)
      if let thread = pthread_t(bitPattern: handle) { pthread_join(thread, nil) }
    #else
      pthread_join(handle, nil)
    #endif
  }

  /// Gives the calling thread a priority; on Linux the threads that it makes from then on have it, too. Whether the
  /// system let us.
  static func take(_ priority: EnginePriority) -> Bool {
    #if canImport(Darwin)
      let classes: [EnginePriority: qos_class_t] = [
        .low: QOS_CLASS_UTILITY, .normal: QOS_CLASS_DEFAULT, .high: QOS_CLASS_USER_INTERACTIVE,
      ]
      return pthread_set_qos_class_self_np(classes[priority] ?? QOS_CLASS_DEFAULT, 0) == 0
    #else
      // On Linux 0 is the calling thread, not its process.
      let values: [EnginePriority: Int32] = [.low: 10, .high: -10]
      guard let value = values[priority] else { return true }
      #if canImport(Musl)
        return setpriority(Int32(PRIO_PROCESS), 0, value) == 0
      #else
        return setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, value) == 0
      #endif
    #endif
  }

  /// Sleeps; no lock is taken.
  static func sleep(nanoseconds: Int) {
    var time = timespec()
    time.tv_sec = nanoseconds / 1_000_000_000
    time.tv_nsec = nanoseconds % 1_000_000_000
    nanosleep(&time, nil)
  }

  /// Nanoseconds of a clock that only goes forward.
  static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
  }
}
