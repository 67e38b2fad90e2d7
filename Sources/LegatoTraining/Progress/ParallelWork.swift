import Dispatch
import Synchronization

/// The same work on many things, several at once.
package enum ParallelWork {
  /// Results in order. After a failure nothing new begins, and the first is thrown.
  ///
  /// - Parameter done: hears how many are finished, from any thread.
  package static func map<Result: Sendable>(
    _ count: Int, threads: Int, done: @Sendable (Int) -> Void = { _ in },
    _ body: @Sendable (Int) throws -> Result
  ) throws -> [Result] {
    let state = Mutex(ParallelState<Result>(results: Array(repeating: nil, count: count)))
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { _ in
      while let index = state.withLock({ state -> Int? in
        guard state.failure == nil, state.next < count else { return nil }
        state.next += 1
        return state.next - 1
      }) {
        do {
          let result = try body(index)
          let finished = state.withLock { state in
            state.results[index] = result
            state.finished += 1
            return state.finished
          }
          done(finished)
        } catch {
          state.withLock { if $0.failure == nil { $0.failure = error } }
        }
      }
    }
    return try state.withLock { state in
      if let failure = state.failure { throw failure }
      return state.results.compactMap { $0 }
    }
  }
}

private struct ParallelState<Result: Sendable>: Sendable {
  var next = 0
  var finished = 0
  var results: [Result?]
  var failure: (any Error)?
}
