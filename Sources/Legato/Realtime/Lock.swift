import Synchronization

/// A `Mutex` whose order ThreadSanitizer sees: a thread that has to wait takes the standard library's lock in code that is not
/// instrumented.
struct Lock<Value>: ~Copyable, Sendable {
  private let mutex: Mutex<Value>
  /// Read after the lock is taken, written before it is given back: the same order once more, and next to free.
  private let turn = Atomic<Bool>(false)

  init(_ value: consuming sending Value) { mutex = Mutex(value) }

  borrowing func withLock<Result, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    try mutex.withLock { (value: inout sending Value) throws(Failure) -> sending Result in
      _ = turn.load(ordering: .acquiring)
      defer { turn.store(false, ordering: .releasing) }
      return try body(&value)
    }
  }
}
