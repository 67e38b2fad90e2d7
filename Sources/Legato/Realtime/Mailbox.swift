import Synchronization

/// The newest of some values, handed from one thread to another without either waiting.
///
/// One thread posts, another takes; a value that was not taken is replaced by the next. The taking side allocates and frees
/// nothing: what it took goes back to the posting side, which frees it with its next post.
final class Mailbox<Value: Sendable>: Sendable {
  private final class Letter: Sendable {
    let value: Value
    /// The letter taken before, of those not yet freed.
    let next = Atomic<Unmanaged<Letter>?>(nil)

    init(_ value: Value) { self.value = value }
  }

  private let new = Atomic<Unmanaged<Letter>?>(nil)
  private let used = Atomic<Unmanaged<Letter>?>(nil)

  /// The posting side. Belongs to one thread at a time.
  func post(_ value: Value) {
    new.exchange(.passRetained(Letter(value)), ordering: .acquiringAndReleasing)?.release()
    freeUsed()
  }

  /// The taking side: calls `body` with the newest value, if there is one that it has not had. Belongs to one thread.
  func take(_ body: (Value) -> Void) {
    // Looking is cheaper than exchanging, and there is mostly nothing.
    guard new.load(ordering: .relaxed) != nil,
      let letter = new.exchange(nil, ordering: .acquiringAndReleasing)
    else { return }
    letter._withUnsafeGuaranteedRef { body($0.value) }
    // At most two rounds: only the posting side changes `used` meanwhile, and only to nil.
    var head = used.load(ordering: .acquiring)
    while true {
      letter._withUnsafeGuaranteedRef { $0.next.store(head, ordering: .relaxed) }
      let (exchanged, original) = used.compareExchange(
        expected: head, desired: letter, ordering: .acquiringAndReleasing)
      if exchanged { return }
      head = original
    }
  }

  private func freeUsed() {
    var letter = used.exchange(nil, ordering: .acquiringAndReleasing)
    while let current = letter {
      letter = current._withUnsafeGuaranteedRef { $0.next.load(ordering: .relaxed) }
      current.release()
    }
  }

  deinit {
    new.exchange(nil, ordering: .acquiringAndReleasing)?.release()
    freeUsed()
  }
}
