import CKernels

extension Weight {
  /// The values in f32, row-major; for a quantised weight what its kernels compute with.
  public func floats() -> [Float] {
    let count = self.count
    return [Float](unsafeUninitializedCapacity: count) { output, initialized in
      initialized = count
      let rows = rows()
      defer { withExtendedLifetime(rows) {} }
      let scales = rows.scales
      guard let target = output.baseAddress, let source = rows.values.bytes.baseAddress else { return }
      switch format {
      case .float32:
        target.update(from: source.assumingMemoryBound(to: Float.self), count: count)
      case .bfloat16:
        lk_from_bf16(source.assumingMemoryBound(to: UInt16.self), target, Int64(count))
      case .int8(let group):
        guard let scales = scales?.bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
        let values = source.assumingMemoryBound(to: Int8.self)
        for index in 0..<count { target[index] = Float(values[index]) * scales[index / group] }
      case .int4(let group):
        guard let scales = scales?.bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
        lk_from_int4(
          source.assumingMemoryBound(to: UInt8.self), scales, target, Int64(shape[0]), Int64(shape[1]),
          Int64(group))
      }
    }
  }

  /// The same weight in another format. Only matrices whose rows divide into groups become int8 or int4; others trap.
  public func converted(to target: WeightFormat) -> Weight {
    guard target != format else { return self }
    let values = floats()
    switch target {
    case .float32:
      return Weight(name: name, shape: shape, values: values)
    case .bfloat16:
      let storage = WeightStorage(byteCount: count * 2) { memory in
        guard let address = memory.bindMemory(to: UInt16.self).baseAddress else { return }
        lk_to_bf16(values, address, Int64(count))
      }
      return Weight(name: name, shape: shape, format: target, storage: storage)
    case .int8(let group):
      return quantised(values, to: target, group: group, byteCount: count) { memory, scales, rows, columns in
        guard let address = memory.bindMemory(to: Int8.self).baseAddress else { return }
        lk_to_int8(values, address, scales, rows, columns, Int64(group))
      }
    case .int4(let group):
      precondition(group % 2 == 0, "\(name): int4 in groups of \(group); they must be even")
      return quantised(values, to: target, group: group, byteCount: count / 2) {
        memory, scales, rows, columns in
        guard let address = memory.bindMemory(to: UInt8.self).baseAddress else { return }
        lk_to_int4(values, address, scales, rows, columns, Int64(group))
      }
    }
  }

  private func quantised(
    _ values: [Float], to target: WeightFormat, group: Int, byteCount: Int,
    by quantise: (UnsafeMutableRawBufferPointer, UnsafeMutablePointer<Float>, Int64, Int64) -> Void
  ) -> Weight {
    precondition(
      shape.count == 2 && shape[1] % group == 0, "\(name) \(shape) does not divide into groups of \(group)")
    var scales = [Float](repeating: 0, count: count / group)
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { memory, initialized in
      memory.initialize(repeating: 0)
      quantise(UnsafeMutableRawBufferPointer(memory), &scales, Int64(shape[0]), Int64(shape[1]))
      initialized = byteCount
    }
    return rounded(to: target, values: bytes, scales: scales)
  }

  /// The weight with rounded values. Traps where there is no memory for them.
  func rounded(to target: WeightFormat, values: [UInt8], scales: [Float]) -> Weight {
    let weight = values.withUnsafeBytes { values in
      scales.withUnsafeBufferPointer {
        Weight(name: name, shape: shape, format: target, values: values, scales: $0)
      }
    }
    guard let weight else { preconditionFailure("no memory for \(values.count) bytes of weights") }
    return weight
  }
}

extension Weight {
  /// Whether no value is NaN or infinite.
  public var isFinite: Bool {
    func all<Bits: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ type: Bits.Type, exponent mask: Bits)
      -> Bool
    {
      var bad: Bits = 0
      for bits in bytes.assumingMemoryBound(to: Bits.self) { bad |= bits & mask == mask ? 1 : 0 }
      return bad == 0
    }
    switch format {
    case .float32: return all(storage.bytes, UInt32.self, exponent: 0x7f80_0000)
    case .bfloat16: return all(storage.bytes, UInt16.self, exponent: 0x7f80)
    case .int8, .int4:
      guard let tiles else { return scales.map { all($0.bytes, UInt32.self, exponent: 0x7f80_0000) } ?? true }
      return tiles.scalesAreFinite
    }
  }
}
