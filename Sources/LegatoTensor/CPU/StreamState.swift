/// A tensor that streaming operations write in place: a cache, the tail of a convolution.
///
/// A reference to memory of one session; only operations that take it `inout` change it.
public struct StateTensor {
  public internal(set) var tensor: Tensor
}

/// All the state of one stream on the CPU engine: made once, then reset, saved and restored as a whole.
public final class StreamState {
  private let engine: CPUEngine
  private var memories: [CPUMemory] = []

  public init(engine: CPUEngine) { self.engine = engine }

  /// A zeroed state tensor that belongs to this stream.
  public func make(_ shape: [Int]) -> StateTensor {
    let memory = CPUMemory(byteCount: shape.reduce(1, *) * 4, count: engine.memory)
    memories.append(memory)
    return StateTensor(
      tensor: Tensor(
        shape: shape, dtype: .float32, backend: engine, handle: CPUHandle(place: .memory(memory))))
  }

  public var byteCount: Int { memories.reduce(0) { $0 + $1.byteCount } }

  /// Back to the start of a stream: zeros.
  public func reset() {
    for memory in memories {
      memory.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: memory.byteCount)
    }
  }

  /// A copy of the whole state.
  public func save() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      save(into: UnsafeMutableRawBufferPointer(buffer))
      count = byteCount
    }
  }

  /// Copies the whole state into memory of `byteCount` bytes.
  public func save(into buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.count >= byteCount, "the buffer is smaller than the state")
    guard var target = buffer.baseAddress else { return }
    for memory in memories {
      target.copyMemory(from: memory.pointer, byteCount: memory.byteCount)
      target += memory.byteCount
    }
  }

  /// Puts a saved state back; false where it belongs to another layout.
  public func restore(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == byteCount else { return false }
    bytes.withUnsafeBytes { restore(from: $0) }
    return true
  }

  /// Puts a state back from memory that ``save(into:)`` filled.
  public func restore(from buffer: UnsafeRawBufferPointer) {
    precondition(buffer.count >= byteCount, "the buffer is smaller than the state")
    guard var source = buffer.baseAddress else { return }
    for memory in memories {
      memory.pointer.copyMemory(from: source, byteCount: memory.byteCount)
      source += memory.byteCount
    }
  }
}

extension Tensor {
  /// Attention of new positions over a ring of the last `window` ones and the sinks; the cache is updated.
  public func attentionStream(
    keys: Tensor, values: Tensor, sinks: (keys: Tensor, values: Tensor),
    cache: inout (keys: StateTensor, values: StateTensor),
    position: Tensor, window: Int
  ) -> Tensor {
    .apply(
      .attentionStream(window: window),
      [self, keys, values, sinks.keys, sinks.values, cache.keys.tensor, cache.values.tensor, position])
  }

  public func depthwiseConvolution(_ weight: Tensor, bias: Tensor?, tail: inout StateTensor) -> Tensor {
    .apply(.depthwiseConvolutionStream, [self, weight] + (bias.map { [$0] } ?? []) + [tail.tensor])
  }

  public func frame(size: Int, hop: Int, tail: inout StateTensor) -> Tensor {
    .apply(.frameStream(size: size, hop: hop), [self, tail.tensor])
  }

  public func overlapAdd(hop: Int, tail: inout StateTensor) -> Tensor {
    .apply(.overlapAddStream(hop: hop), [self, tail.tensor])
  }
}
