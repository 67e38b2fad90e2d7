extension SafetensorsFile {
  /// A tensor of any floating-point type as `Float`, in row-major order. F64 is rounded.
  ///
  /// - Throws: `SafetensorsError.Kind.mismatch` for integer tensors or where `shape` is given and differs.
  public func floats(_ name: String, shape: [Int]? = nil) throws(SafetensorsError) -> [Float] {
    let entry = try entry(name)
    if let shape, shape != entry.shape {
      throw SafetensorsError(
        .mismatch, file: path, tensor: name, reason: "its shape is \(entry.shape), expected \(shape)",
        remedy: "The file belongs to another configuration of the model.")
    }
    guard entry.dtype.isFloatingPoint else {
      throw SafetensorsError(
        .mismatch, file: path, tensor: name, reason: "it holds \(entry.dtype.rawValue), expected floats",
        remedy: "The file belongs to another kind of model.")
    }
    let source = try pointer(to: name)
    let count = entry.elementCount
    return withExtendedLifetime(self) {
      [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        switch entry.dtype {
        case .float32:
          for i in 0..<count {
            buffer[i] = Float(
              bitPattern: UInt32(littleEndian: source.load(fromByteOffset: 4 * i, as: UInt32.self)))
          }
        case .float64:
          for i in 0..<count {
            let bits = UInt64(littleEndian: source.load(fromByteOffset: 8 * i, as: UInt64.self))
            buffer[i] = Float(Double(bitPattern: bits))
          }
        case .bfloat16:
          for i in 0..<count {
            buffer[i] = FloatBits.float(
              bfloat16: UInt16(littleEndian: source.load(fromByteOffset: 2 * i, as: UInt16.self)))
          }
        default:
          for i in 0..<count {
            buffer[i] = FloatBits.float(
              float16: UInt16(littleEndian: source.load(fromByteOffset: 2 * i, as: UInt16.self)))
          }
        }
        initialized = count
      }
    }
  }
}
