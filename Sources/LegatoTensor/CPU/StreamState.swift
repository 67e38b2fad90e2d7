/// A tensor that streaming operations write in place: a cache, the tail of a convolution. `[slots, ...]`.
///
/// A reference to memory of its ``StreamState``; only operations that take it `inout` change it.
public struct StateTensor {
  public internal(set) var tensor: Tensor

  /// Sets what one slot holds, row-major. State that a plan reads and nothing streams into is set so.
  public func set(_ values: [Float], slot: Int) {
    precondition(tensor.dtype == .float32, "state of \(tensor.dtype.rawValue) is streamed into, not set")
    guard let handle = tensor.handle as? CPUHandle, let base = handle.pointer else { return }
    let count = tensor.count / tensor.dim(0)
    precondition(values.count == count, "\(values.count) values for a slot of \(count)")
    values.withUnsafeBytes {
      guard let source = $0.baseAddress else { return }
      (base + slot * count * 4).copyMemory(from: source, byteCount: $0.count)
    }
  }
}

/// All the state of some streams on the CPU engine, one slot a stream: made once, then reset, saved and restored slot by slot.
///
/// Memory of a slot that no stream has used takes no room.
public final class StreamState {
  public let slots: Int
  private let engine: CPUEngine
  private var memories: [CPUMemory] = []
  /// Bytes of one slot of each memory.
  private var sizes: [Int] = []
  /// Slots that have been used, whose memory counts.
  private var touched: Set<Int> = []

  public init(engine: CPUEngine, slots: Int = 1) {
    self.engine = engine
    self.slots = max(1, slots)
  }

  /// A zeroed state tensor, `[slots] + shape`.
  public func make(_ shape: [Int], _ dtype: DType = .float32) -> StateTensor {
    let size = shape.reduce(1, *) * dtype.byteCount
    let memory = CPUMemory(byteCount: size * slots, count: nil)
    memories.append(memory)
    sizes.append(size)
    return StateTensor(
      tensor: Tensor(
        shape: [slots] + shape, dtype: dtype, backend: engine, handle: CPUHandle(place: .memory(memory))))
  }

  deinit { engine.memory.add(-touched.count * byteCount) }

  /// Says that a slot is about to be used: its memory is counted from now on.
  public func touch(slot: Int = 0) {
    if touched.insert(slot).inserted { engine.memory.add(byteCount) }
  }

  /// Bytes of one slot.
  public var byteCount: Int { sizes.reduce(0, +) }

  /// Back to the start of a stream: zeros.
  public func reset(slot: Int = 0) {
    for (memory, size) in zip(memories, sizes) {
      (memory.pointer + slot * size).initializeMemory(as: UInt8.self, repeating: 0, count: size)
    }
  }

  /// A copy of a slot's state.
  public func save(slot: Int = 0) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      save(into: UnsafeMutableRawBufferPointer(buffer), slot: slot)
      count = byteCount
    }
  }

  private func save(into buffer: UnsafeMutableRawBufferPointer, slot: Int) {
    precondition(buffer.count >= byteCount, "the buffer is smaller than the state")
    guard var target = buffer.baseAddress else { return }
    for index in memories.indices {
      target.copyMemory(from: memories[index].pointer + slot * sizes[index], byteCount: sizes[index])
      target += sizes[index]
    }
  }

  /// Puts a saved state back; false where it belongs to another layout.
  public func restore(_ bytes: [UInt8], slot: Int = 0) -> Bool {
    guard bytes.count == byteCount else { return false }
    bytes.withUnsafeBytes { restore(from: $0, slot: slot) }
    return true
  }

  private func restore(from buffer: UnsafeRawBufferPointer, slot: Int) {
    precondition(buffer.count >= byteCount, "the buffer is smaller than the state")
    guard var source = buffer.baseAddress else { return }
    for index in memories.indices {
      (memories[index].pointer + slot * sizes[index]).copyMemory(from: source, byteCount: sizes[index])
      source += sizes[index]
    }
  }
}

// `slots` int32 `[B]` says where the state of each row of the batch lies.
extension Tensor {
  /// Attention of new positions, int32 `[B · T]`, over the last `window` ones and the sinks `[slots, S, H, D]`; the cache, a ring
  /// `[slots, H, at least window, D]`, is updated.
  public func attentionStream(
    keys: Tensor, values: Tensor, sinks: (keys: StateTensor, values: StateTensor),
    cache: inout (keys: StateTensor, values: StateTensor), positions: Tensor, slots: Tensor, window: Int
  ) -> Tensor {
    precondition(
      cache.keys.tensor.dtype == cache.values.tensor.dtype && cache.keys.tensor.dim(2) >= window,
      "a cache holds keys and values of one type, and a window of them at least")
    return .apply(
      .attentionStream(window: window, cache: cache.keys.tensor.dtype),
      [
        self, keys, values, sinks.keys.tensor, sinks.values.tensor, cache.keys.tensor, cache.values.tensor,
        positions, slots,
      ])
  }

  public func depthwiseConvolution(_ weight: Tensor, bias: Tensor?, tail: inout StateTensor, slots: Tensor)
    -> Tensor
  {
    .apply(
      .depthwiseConvolutionStream, [self, weight] + (bias.map { [$0] } ?? []) + [tail.tensor, slots])
  }

  /// `[B · R, T · hop]`, R rows a slot: the tail is `[slots, R, size − hop]`.
  public func frame(size: Int, hop: Int, tail: inout StateTensor, slots: Tensor) -> Tensor {
    .apply(.frameStream(size: size, hop: hop), [self, tail.tensor, slots])
  }

  /// `[B · R, T, size]`, R rows a slot: the tail is `[slots, R, size − hop]`.
  public func overlapAdd(hop: Int, tail: inout StateTensor, slots: Tensor) -> Tensor {
    .apply(.overlapAddStream(hop: hop), [self, tail.tensor, slots])
  }
}
