import CKernels

/// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
///
/// A value is a function of seed, stream and position alone, the same on every machine, so that nothing has to be
/// saved to resume: training noise uses (seed, step), a session (seed, frame).
public struct RandomStream: Sendable, Hashable {
  public let seed: UInt64
  public let stream: UInt64

  public init(seed: UInt64, stream: UInt64) {
    self.seed = seed
    self.stream = stream
  }

  /// A stream for a name: the same name gives the same stream everywhere.
  public init(seed: UInt64, name: String) {
    // FNV-1a.
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    self.init(seed: seed, stream: hash)
  }

  /// `count` standard normal values from a position on.
  public func normal(_ count: Int, from offset: Int = 0) -> [Float] {
    fill(count) { lk_normal(seed, stream, UInt64(offset), $0, Int64(count)) }
  }

  /// `count` values uniform in (0, 1) from a position on.
  public func uniform(_ count: Int, from offset: Int = 0) -> [Float] {
    fill(count) { lk_uniform(seed, stream, UInt64(offset), $0, Int64(count)) }
  }

  /// Four words at an index.
  public func words(at index: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
    var out: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &out) {
      guard let words = $0.bindMemory(to: UInt32.self).baseAddress else { return }
      lk_philox(seed, stream, index, words)
    }
    return out
  }

  /// Whole number in 0 ..< bound.
  public func integer(below bound: Int, at index: UInt64) -> Int {
    let w = words(at: index)
    return Int((UInt64(w.0) << 32 | UInt64(w.1)).multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// The numbers 0 ..< count in random order, by the integers at `index` and the `count` that follow.
  public func permutation(of count: Int, at index: UInt64 = 0) -> [Int] {
    var order = Array(0..<count)
    for place in order.indices.dropLast() {
      order.swapAt(place, place + integer(below: count - place, at: index + UInt64(place)))
    }
    return order
  }

  private func fill(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let address = buffer.baseAddress, count > 0 { body(address) }
      initialized = count
    }
  }
}

extension RandomStream {
  /// Fills memory with standard normal values from a position on, without allocation.
  public func normal(into buffer: UnsafeMutableBufferPointer<Float>, from offset: Int) {
    guard let address = buffer.baseAddress else { return }
    lk_normal(seed, stream, UInt64(offset), address, Int64(buffer.count))
  }
}
