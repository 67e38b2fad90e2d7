import LegatoCodecs
import LegatoModels
import LegatoTensor

/// Bytes that something takes, by what they are for.
public struct MemoryFootprint: Sendable, Hashable {
  /// Weights of model, codec and styles. They belong to the package, however many sessions share it, and where they
  /// are mapped from a file the system reads and drops them as it likes.
  public var weights = 0
  /// What a stream remembers.
  public var state = 0
  /// Plans with their intermediate results, queues, and memory that samples pass through.
  public var buffers = 0

  public init(weights: Int = 0, state: Int = 0, buffers: Int = 0) {
    (self.weights, self.state, self.buffers) = (weights, state, buffers)
  }

  public var total: Int { weights + state + buffers }
}

extension ModelPackage {
  /// What the package itself takes: its weights, once, whatever number of sessions run on it.
  public var memoryFootprint: MemoryFootprint {
    let all = model.weights + codec.codec.weights + styles.flatMap(\.weights)
    return MemoryFootprint(weights: all.reduce(0) { $0 + $1.byteCount })
  }
}

extension Session {
  /// What this session takes beside its package's weights, with what it shares with others of its group; stacks of its threads are not
  /// counted (a mebibyte of address space each, of which they touch little).
  public var memoryFootprint: MemoryFootprint {
    let state = decoderState.byteCount + latents.stateByteCount
    return MemoryFootprint(state: state, buffers: engine.memoryByteCount - state + latents.bufferByteCount)
  }
}
