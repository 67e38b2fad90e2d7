import Synchronization

/// The reading end of a stream's ring, which lets one thread in at a time and counts what was missing.
///
/// Safety of `@unchecked Sendable`: `consumer` and `hasBegun` are touched only between the exchange that sets `isBusy` from
/// false, which acquires, and the store that clears it, which releases: by one thread at a time, each seeing what the
/// one before did. Everything else is atomic.
final class RingReader: @unchecked Sendable {
  let underruns = Atomic<Int>(0)
  let missingSamples = Atomic<Int>(0)
  let refusedPulls = Atomic<Int>(0)

  private let isBusy = Atomic<Bool>(false)
  private var consumer: AudioRing.Consumer
  /// Whether anything was read: silence before is no underrun.
  private var hasBegun = false

  init(_ ring: AudioRing) { consumer = ring.takeConsumer() }

  func pull(_ frames: Int, _ read: (inout AudioRing.Consumer) -> Int) throws(PullError) -> Int {
    guard !isBusy.exchange(true, ordering: .acquiring) else {
      refusedPulls.add(1, ordering: .relaxed)
      throw .busy
    }
    let got = read(&consumer)
    if got > 0 { hasBegun = true }
    if got < frames && hasBegun {
      underruns.add(1, ordering: .relaxed)
      missingSamples.add(frames - got, ordering: .relaxed)
    }
    isBusy.store(false, ordering: .releasing)
    return got
  }
}
