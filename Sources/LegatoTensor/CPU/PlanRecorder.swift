import CKernels

/// Collects kernel calls and gives their intermediate results places in one arena.
final class PlanRecorder {
  struct Node {
    var call: LoweredCall
    var operands: [CPUHandle]
    var output: CPUHandle
  }

  private(set) var nodes: [Node] = []
  /// Whether products may round their inputs to bf16.
  var rounding = false
  private var sizes: [Int] = []
  /// Results of the plan, which have memory of their own.
  private var results: [Int: CPUMemory] = [:]

  /// Bytes of all intermediate buffers, whether they live at the same time or not.
  var byteCount: Int { sizes.reduce(0, +) }

  /// A new intermediate buffer.
  func allocate(byteCount: Int) -> Int {
    sizes.append((byteCount + 63) / 64 * 64)
    return sizes.count - 1
  }

  func append(_ calls: [LoweredCall], operands: [CPUHandle], output: CPUHandle) {
    nodes += calls.map { Node(call: $0, operands: operands, output: output) }
  }

  /// Makes a result land in memory of its own: where it is computed, if it is a buffer by itself, or by a last copy.
  func finish(_ handle: CPUHandle, shape: [Int], in memory: CPUMemory) {
    if case .recorded(let id) = handle.place, handle.offset == 0, results[id] == nil,
      (shape.reduce(1, *) * 4 + 63) / 64 * 64 == sizes[id]
    {
      results[id] = memory
      return
    }
    let calls = Operation.broadcast(shape).lowered(.init(shapes: [shape], formats: [nil], output: shape))
    append(calls, operands: [handle], output: CPUHandle(place: .memory(memory)))
  }

  /// The calls with addresses, and what they point to.
  func resolved(by engine: CPUEngine) -> (calls: [lk_call], arena: CPUMemory) {
    fuse()
    let (arena, offsets) = layOut(count: engine.memory)
    let calls = nodes.map { node in
      var call = engine.resolve(node.call, operands: node.operands, output: node.output) {
        [results] handle in
        guard case .recorded(let id) = handle.place else { preconditionFailure("operand has no memory") }
        return (results[id].map { $0.pointer } ?? arena.pointer + offsets[id]) + handle.offset
      }
      if rounding, node.call.kernel == LK_LINEAR { call.i.7 = 1 }
      return call
    }
    return (calls, arena)
  }

  /// Offsets of the buffers: two that live at the same time never overlap.
  private func layOut(count: MemoryCount) -> (CPUMemory, [Int]) {
    var lifetimes = [ClosedRange<Int>?](repeating: nil, count: sizes.count)
    for (index, node) in nodes.enumerated() {
      for handle in node.operands + [node.output] {
        guard case .recorded(let id) = handle.place else { continue }
        lifetimes[id] = (lifetimes[id]?.lowerBound ?? index)...index
      }
    }
    var offsets = [Int](repeating: 0, count: sizes.count)
    var placed: [(range: Range<Int>, life: ClosedRange<Int>)] = []
    var total = 0
    for id in sizes.indices where results[id] == nil {
      guard let life = lifetimes[id] else { continue }
      let neighbours = placed.filter { $0.life.overlaps(life) }.map(\.range).sorted {
        $0.lowerBound < $1.lowerBound
      }
      var start = 0
      for taken in neighbours {
        if start + sizes[id] <= taken.lowerBound { break }
        start = max(start, taken.upperBound)
      }
      offsets[id] = start
      placed.append((start..<start + sizes[id], life))
      total = max(total, start + sizes[id])
    }
    return (CPUMemory(byteCount: total, count: count), offsets)
  }
}

// MARK: - Fusion

extension PlanRecorder {
  /// Lets products do what follows them: the activation, then the sum with a residual, gated or not. The same bits, with fewer
  /// calls and without the passes over memory in between.
  private func fuse() {
    var readers = [Int](repeating: 0, count: sizes.count)
    var producer = [Int?](repeating: nil, count: sizes.count)
    for (index, node) in nodes.enumerated() {
      for case .recorded(let id) in node.operands.map(\.place) { readers[id] += 1 }
      if case .recorded(let id) = node.output.place { producer[id] = index }
    }
    // A result is read after the plan has run.
    for id in results.keys { readers[id] += 1 }

    /// The product that this operand is the whole result of, if nobody else reads it.
    func product(_ handle: CPUHandle, count: Int) -> Int? {
      guard case .recorded(let id) = handle.place, handle.offset == 0, readers[id] == 1,
        let index = producer[id], nodes[index].call.kernel == LK_LINEAR,
        nodes[index].call.ints[0] * nodes[index].call.ints[2] == count, nodes[index].call.pointers.count == 5
      else { return nil }
      return index
    }
    func isThere(_ handle: CPUHandle, before index: Int) -> Bool {
      guard case .recorded(let id) = handle.place else { return true }
      return producer[id].map { $0 < index } ?? false
    }
    /// Gives the product what node `index` did, with the operands that it needs for that.
    func take(_ index: Int, into product: Int, _ added: [CPUHandle]) {
      let first = nodes[product].operands.count
      nodes[product].operands += added
      nodes[product].call.pointers += added.indices.map { .operand(first + $0) }
      nodes[product].output = nodes[index].output
      if case .recorded(let id) = nodes[index].output.place { producer[id] = product }
      removed.insert(index)
    }

    var removed = Set<Int>()
    for (index, node) in nodes.enumerated() {
      let ints = node.call.ints
      switch node.call.kernel {
      case LK_UNARY:
        guard let source = product(node.operands[0], count: ints[0]), nodes[source].call.ints[5] < 0 else {
          continue
        }
        nodes[source].call.ints[5] = ints[1]
        take(index, into: source, [])
      case LK_BINARY:
        // Two arrays of one shape: one axis, walked one by one.
        guard ints[0] == Int(LK_ADD.rawValue), ints[1] == 1, ints[8] == 1, ints[14] == 1 else { continue }
        for (term, other) in [(1, 0), (0, 1)] {
          guard let source = product(node.operands[term], count: ints[2]),
            isThere(node.operands[other], before: source)
          else { continue }
          take(index, into: source, [node.operands[other]])
          break
        }
      case LK_GATED_ADD:
        guard let source = product(node.operands[2], count: ints[0] * ints[1]),
          isThere(node.operands[0], before: source), isThere(node.operands[1], before: source)
        else { continue }
        nodes[source].call.ints.append(ints[2])
        take(index, into: source, [node.operands[0], node.operands[1]])
      default: continue
      }
    }
    nodes = nodes.indices.filter { !removed.contains($0) }.map { nodes[$0] }
  }
}
