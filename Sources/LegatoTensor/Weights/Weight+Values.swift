import CKernels

extension Weight {
  /// The values in f32, row-major; for a quantised weight what its kernels compute with.
  public func floats() -> [Float] {
    let count = self.count
    return [Float](unsafeUninitializedCapacity: count) { output, initialized in
      initialized = count
      guard let target = output.baseAddress, let source = storage.bytes.baseAddress else { return }
      switch format {
      case .float32:
        target.update(from: source.assumingMemoryBound(to: Float.self), count: count)
      case .bfloat16:
        lk_from_bf16(source.assumingMemoryBound(to: UInt16.self), target, Int64(count))
      case .int8(let group):
        guard let scales = scales?.bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
        let values = source.assumingMemoryBound(to: Int8.self)
        for index in 0..<count { target[index] = Float(values[index]) * scales[index / group] }
      }
    }
  }

  /// The same weight in another format. Only matrices whose rows divide into groups become int8.
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
      let (rows, columns) = (shape[0], shape[1])
      precondition(
        shape.count == 2 && columns % group == 0, "\(name) \(shape) does not divide into groups of \(group)")
      let quantised = UnsafeMutablePointer<Int8>.allocate(capacity: count)
      defer { quantised.deallocate() }
      var scales = [Float](repeating: 0, count: rows * (columns / group))
      lk_to_int8(values, quantised, &scales, Int64(rows), Int64(columns), Int64(group))
      let storage = WeightStorage(byteCount: count) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: quantised, count: count))
      }
      return Weight(
        name: name, shape: shape, format: target, storage: storage, scales: WeightStorage(copying: scales))
    }
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
    case .int8: return scales.map { all($0.bytes, UInt32.self, exponent: 0x7f80_0000) } ?? true
    }
  }
}
