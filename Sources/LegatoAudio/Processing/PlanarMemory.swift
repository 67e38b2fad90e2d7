/// Memory for planar samples that stays where it is: a row of `capacity` samples for each channel.
///
/// What the calls that do not allocate read and write. It belongs to one thread at a time.
public final class PlanarMemory {
  /// The start of each channel's row.
  public let rows: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
  /// Samples of a row.
  public let capacity: Int
  private let pointers: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>
  private let samples: UnsafeMutablePointer<Float>

  /// Silence. Traps where there is no channel, the capacity is negative, or the memory is not there.
  public init(channels: Int, capacity: Int) {
    precondition(channels > 0 && capacity >= 0, "PlanarMemory: \(channels) channels of \(capacity) samples")
    self.capacity = capacity
    let count = max(1, channels * capacity)
    samples = .allocate(capacity: count)
    samples.initialize(repeating: 0, count: count)
    pointers = .allocate(capacity: channels)
    for channel in 0..<channels {
      pointers.initializeElement(at: channel, to: samples + channel * capacity)
    }
    rows = UnsafeBufferPointer(pointers)
  }

  /// A copy of planar samples, `[channel][frame]`.
  public convenience init(_ channels: [[Float]]) {
    self.init(channels: channels.count, capacity: channels.first?.count ?? 0)
    for (row, values) in zip(rows, channels) { row.update(from: values, count: capacity) }
  }

  public var channels: Int { rows.count }

  /// Bytes that it takes.
  public var byteCount: Int {
    channels * (capacity * MemoryLayout<Float>.stride + MemoryLayout<UnsafeMutablePointer<Float>>.stride)
  }

  /// A copy of some frames, `[channel][frame]`. Traps where they are not within the capacity.
  public func arrays(_ frames: Range<Int>) -> [[Float]] {
    precondition(frames.lowerBound >= 0 && frames.upperBound <= capacity, "PlanarMemory: frames \(frames)")
    return rows.map { Array(UnsafeBufferPointer(start: $0 + frames.lowerBound, count: frames.count)) }
  }

  deinit {
    samples.deallocate()
    pointers.deallocate()
  }
}
