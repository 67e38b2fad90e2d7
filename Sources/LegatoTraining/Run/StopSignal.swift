import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Turns Ctrl-C (SIGINT) and SIGTERM into a flag that the training loop looks at between steps. A second
/// Ctrl-C ends the process at once.
public enum StopSignal {
  /// 0 or the signal that asked to stop.
  private static let received = Atomic<Int32>(0)
  /// Milliseconds of the monotonic clock at the first Ctrl-C.
  private static let firstInterrupt = Atomic<Int>(0)
  /// Milliseconds within which a second Ctrl-C is the first, passed on by a launcher.
  static let sameWithin = Atomic<Int>(300)

  /// Begins to listen. Call once, before training; harmless when repeated.
  public static func install() {
    // The handler may only touch what is already initialised: lazy initialisation is not safe in a signal.
    _ = received.load(ordering: .relaxed)
    _ = firstInterrupt.load(ordering: .relaxed)
    _ = sameWithin.load(ordering: .relaxed)
    signal(SIGINT, handler)
    signal(SIGTERM, handler)
  }

  /// Whether somebody asked to stop.
  public static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

  /// The exit code that shells expect of a process ended by the signal: 130 or 143; nil while none came.
  public static var exitCode: Int32? {
    let signal = received.load(ordering: .relaxed)
    return signal == 0 ? nil : 128 + signal
  }

  /// Asks to stop from inside the program, as SIGTERM would.
  public static func request() { received.store(SIGTERM, ordering: .relaxed) }

  /// Forgets an earlier request, for programs that train more than once.
  public static func reset() {
    received.store(0, ordering: .relaxed)
    firstInterrupt.store(0, ordering: .relaxed)
  }

  // Only async-signal-safe things happen here: atomics, clock_gettime, write and _exit.
  private static let handler: @convention(c) (Int32) -> Void = { signal in
    received.store(signal, ordering: .relaxed)
    guard signal == SIGINT else { return }
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let now = Int(time.tv_sec) * 1000 + Int(time.tv_nsec) / 1_000_000
    let first = firstInterrupt.load(ordering: .relaxed)
    if first == 0 {
      firstInterrupt.store(now, ordering: .relaxed)
    } else if now - first > sameWithin.load(ordering: .relaxed) {
      // A launcher that passes Ctrl-C on makes two of one; those come together and count once.
      _exit(130)
    }
  }
}
