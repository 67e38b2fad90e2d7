import LegatoAudio
import Synchronization

/// A queue of planar samples from one thread to another, without locks: single producer, single consumer.
///
/// The two ends are types of their own, each taken once; each belongs to one thread at a time. Both are wait-free:
/// a fixed number of steps, no allocation, no system call.
/// - Writing is whole or not at all. Reading gives what there is, up to what was asked for.
/// - Capacity is a power of two. The depth is what may wait at most, any number up to half of it: it is what a
///   listener waits for until a change is heard.
/// - ``Producer/discard()`` drops what waits; the consumer skips it at its next read. The other half of the capacity
///   lets the producer go on meanwhile.
///
/// ```swift
/// let ring = AudioRing(channels: 2, depth: 4096)
/// var producer = ring.takeProducer()  // goes to one thread
/// var consumer = ring.takeConsumer()  // and this to another
/// ```
public final class AudioRing: Sendable {
  public let channels: Int
  /// Frames that may wait at most.
  public let depth: Int
  /// Frames that there is memory for: twice the depth, rounded up to a power of two.
  public let capacity: Int

  private let memory: Memory
  // Frames since the start: they only grow, and their difference is what waits. 2⁶³ frames last six million years.
  // A cache line apart, since two threads write them.
  private let written = PaddedPosition()
  private let read = PaddedPosition()
  /// What lies before this is to be skipped.
  private let discarded = PaddedPosition()
  private let producerTaken = Atomic<Bool>(false)
  private let consumerTaken = Atomic<Bool>(false)

  /// Silence. Traps where there is no channel, or the depth is below 1 or above 2⁴⁰.
  public init(channels: Int, depth: Int) {
    precondition(
      channels > 0 && depth > 0 && depth <= 1 << 40, "AudioRing: \(channels) channels, a depth of \(depth)")
    self.channels = channels
    self.depth = depth
    var capacity = 1
    while capacity < 2 * depth { capacity *= 2 }
    self.capacity = capacity
    memory = Memory(channels: channels, capacity: capacity)
  }

  /// Bytes of the samples' memory.
  public var byteCount: Int { memory.samples.byteCount }

  /// Frames that wait, seen from any thread: between two moments of the other ends.
  public var count: Int {
    // What is discarded and read is looked at first, so that the difference is never negative.
    let first = max(read.value.load(ordering: .acquiring), discarded.value.load(ordering: .acquiring))
    return written.value.load(ordering: .acquiring) - first
  }

  /// The writing end. It can be taken once; a second time traps.
  public func takeProducer() -> Producer {
    precondition(!producerTaken.exchange(true, ordering: .relaxed), "AudioRing: it has one producer")
    return Producer(ring: self)
  }

  /// The reading end. It can be taken once; a second time traps.
  public func takeConsumer() -> Consumer {
    precondition(!consumerTaken.exchange(true, ordering: .relaxed), "AudioRing: it has one consumer")
    return Consumer(ring: self)
  }

  /// Samples that two threads share.
  ///
  /// Safety of `@unchecked Sendable`: of `capacity` places the consumer reads those in `read ..< written` and the
  /// producer writes those in `written ..< read + capacity`, so no place belongs to both. A place goes to the consumer
  /// by the producer's releasing store of `written`, which the consumer acquires, and back by the consumer's releasing
  /// store of `read`, which the producer acquires. The producer also reads places in `read ..< written`, which
  /// nobody writes but itself. There is one of each end: they cannot be copied, and each can be taken once.
  private final class Memory: @unchecked Sendable {
    let samples: PlanarMemory

    init(channels: Int, capacity: Int) { samples = PlanarMemory(channels: channels, capacity: capacity) }
  }

  /// Written out, since ThreadSanitizer does not see what the standard library copies.
  @inline(__always)
  private static func copy(_ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, _ count: Int) {
    for index in 0..<count { to[index] = from[index] }
  }

  /// Calls `body` with the one or two pieces that `count` frames from `position` on lie in: offset in the ring,
  /// offset in what is copied, length.
  private func pieces(from position: Int, _ count: Int, _ body: (Int, Int, Int) -> Void) {
    let start = position & (capacity - 1)
    let first = min(count, capacity - start)
    if first > 0 { body(start, 0, first) }
    if first < count { body(0, first, count - first) }
  }
}

/// A position with a cache line of its own.
private final class PaddedPosition: Sendable {
  private let before: (Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0)
  let value = Atomic<Int>(0)
  private let after: (Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0)
}

extension AudioRing {
  /// The writing end of an ``AudioRing``.
  public struct Producer: ~Copyable, Sendable {
    public let ring: AudioRing
    /// What `ring.written` holds: nobody else writes it.
    private var position = 0

    fileprivate init(ring: AudioRing) { self.ring = ring }

    /// Frames that ``write(_:frames:)`` would take now; never less until it is called.
    public var room: Int {
      let read = ring.read.value.load(ordering: .acquiring)
      return min(ring.depth - (position - firstWaiting(read)), ring.capacity - (position - read))
    }

    /// Where what waits begins.
    private func firstWaiting(_ read: Int) -> Int {
      max(read, ring.discarded.value.load(ordering: .relaxed))
    }

    /// Appends frames, all or none: a pointer for each channel. False, and nothing done, where there is no room.
    public mutating func write(
      _ samples: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, from offset: Int = 0, frames: Int
    ) -> Bool {
      precondition(
        samples.count == ring.channels && frames >= 0, "AudioRing: \(samples.count) channels written")
      guard frames <= room else { return false }
      ring.pieces(from: position, frames) { place, source, count in
        for channel in 0..<samples.count {
          let (from, to) = (samples[channel] + offset + source, ring.memory.samples.rows[channel] + place)
          AudioRing.copy(from, to, count)
        }
      }
      position += frames
      ring.written.value.store(position, ordering: .releasing)
      return true
    }

    /// Drops what waits.
    public mutating func discard() { ring.discarded.value.store(position, ordering: .releasing) }

    /// A copy of what waits at this moment, `[channel][frame]`. It allocates.
    public borrowing func waiting() -> [[Float]] {
      let first = firstWaiting(ring.read.value.load(ordering: .acquiring))
      return ring.memory.samples.rows.map { row in
        var copy: [Float] = []
        ring.pieces(from: first, position - first) { place, _, count in
          copy += UnsafeBufferPointer(start: row + place, count: count)
        }
        return copy
      }
    }
  }

  /// The reading end of an ``AudioRing``.
  public struct Consumer: ~Copyable, Sendable {
    public let ring: AudioRing
    /// What `ring.read` holds: nobody else writes it.
    private var position = 0

    fileprivate init(ring: AudioRing) { self.ring = ring }

    /// Takes up to `frames` frames, into a row for each channel; how many there were.
    public mutating func read(into rows: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, frames: Int) -> Int
    {
      precondition(rows.count == ring.channels && frames >= 0, "AudioRing: \(rows.count) channels read")
      let stored = ring.memory.samples.rows
      return take(frames) { place, target, count in
        for channel in 0..<rows.count {
          AudioRing.copy(stored[channel] + place, rows[channel] + target, count)
        }
      }
    }

    /// The same, interleaved: `[frame][channel]`.
    public mutating func read(interleaved output: UnsafeMutablePointer<Float>, frames: Int) -> Int {
      precondition(frames >= 0, "AudioRing: \(frames) frames read")
      let stored = ring.memory.samples.rows
      return take(frames) { place, target, count in
        for channel in 0..<stored.count {
          let row = stored[channel] + place
          let first = output + target * stored.count + channel
          for frame in 0..<count { first[frame * stored.count] = row[frame] }
        }
      }
    }

    private mutating func take(_ frames: Int, _ copy: (Int, Int, Int) -> Void) -> Int {
      // The discarded position is looked at first: what was written before it is then seen, too.
      let start = max(position, ring.discarded.value.load(ordering: .acquiring))
      let count = min(frames, ring.written.value.load(ordering: .acquiring) - start)
      ring.pieces(from: start, count, copy)
      position = start + count
      ring.read.value.store(position, ordering: .releasing)
      return count
    }
  }
}
