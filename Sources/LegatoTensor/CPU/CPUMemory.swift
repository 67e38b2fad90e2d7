import CKernels
import Synchronization

/// How many bytes an engine's memory takes at present.
final class MemoryCount: Sendable {
  private let count = Atomic<Int>(0)

  var bytes: Int { count.load(ordering: .relaxed) }
  func add(_ bytes: Int) { count.add(bytes, ordering: .relaxed) }
}

/// Zeroed memory of the CPU engine, aligned for its kernels. Pages that nobody has touched take no room.
final class CPUMemory {
  let pointer: UnsafeMutableRawPointer
  let byteCount: Int
  private let count: MemoryCount?

  /// - Parameter count: where it is counted; nil where somebody else does, or nobody.
  init(byteCount: Int, count: MemoryCount?) {
    self.byteCount = byteCount
    self.count = count
    count?.add(byteCount)
    guard let memory = lk_zeroed(Int64(byteCount)) else {
      preconditionFailure("no memory for \(byteCount) bytes")
    }
    pointer = memory
  }

  deinit {
    count?.add(-byteCount)
    lk_free_zeroed(pointer)
  }
}

/// Where the values of a tensor of the CPU engine are.
final class CPUHandle {
  enum Place {
    case memory(CPUMemory)
    case weight(Weight)
    /// A buffer of the plan being recorded; its address is known when the plan is complete.
    case recorded(Int)
  }

  let place: Place
  /// Bytes from where the place begins: a slice or a reshaping of another tensor.
  let offset: Int

  init(place: Place, offset: Int = 0) {
    self.place = place
    self.offset = offset
  }

  convenience init<Element>(copying values: [Element], count: MemoryCount) {
    let memory = CPUMemory(byteCount: values.count * MemoryLayout<Element>.stride, count: count)
    values.withUnsafeBytes {
      if let source = $0.baseAddress { memory.pointer.copyMemory(from: source, byteCount: $0.count) }
    }
    self.init(place: .memory(memory))
  }

  /// The address, unless it belongs to a plan being recorded. Weights are only ever read through it.
  var pointer: UnsafeMutableRawPointer? {
    switch place {
    case .memory(let memory): memory.pointer + offset
    case .weight(let weight): UnsafeMutableRawPointer(mutating: weight.storage.bytes.baseAddress)
    case .recorded: nil
    }
  }

  var scales: UnsafeMutableRawPointer? {
    guard case .weight(let weight) = place else { return nil }
    return UnsafeMutableRawPointer(mutating: weight.scales?.bytes.baseAddress)
  }

  /// The weight's format; nil for other tensors.
  var format: WeightFormat? {
    guard case .weight(let weight) = place else { return nil }
    return weight.format
  }
}
