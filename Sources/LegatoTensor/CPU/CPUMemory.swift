import Synchronization

/// How many bytes an engine's memory takes at present.
final class MemoryCount: Sendable {
  private let count = Atomic<Int>(0)

  var bytes: Int { count.load(ordering: .relaxed) }
  func add(_ bytes: Int) { count.add(bytes, ordering: .relaxed) }
}

/// Zeroed memory of the CPU engine, aligned for its kernels.
final class CPUMemory {
  let pointer: UnsafeMutableRawPointer
  let byteCount: Int
  private let count: MemoryCount

  init(byteCount: Int, count: MemoryCount) {
    self.byteCount = byteCount
    self.count = count
    count.add(byteCount)
    pointer = .allocate(byteCount: max(byteCount, 64), alignment: 64)
    pointer.initializeMemory(as: UInt8.self, repeating: 0, count: max(byteCount, 64))
  }

  deinit {
    count.add(-byteCount)
    pointer.deallocate()
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

  init(place: Place) { self.place = place }

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
    case .memory(let memory): memory.pointer
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
