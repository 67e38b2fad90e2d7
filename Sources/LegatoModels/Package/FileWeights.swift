import LegatoTensor

/// Weights in a safetensors file, used where the file is mapped.
///
/// int8 matrices have their scales beside them under `NAME.scales`, `[outputs, groups]`.
public final class FileWeights: WeightSource {
  public let file: SafetensorsFile

  public init(path: String) throws { file = try SafetensorsFile(path: path) }

  public func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    guard file.contains(name) else { throw ModelError.missingTensor(name: name, file: file.path) }
    let entry = try file.entry(name)
    guard entry.shape == shape else {
      throw ModelError.shapeMismatch(name: name, file: file.path, expected: shape, found: entry.shape)
    }
    let storage = try mapped(entry)
    let weight: Weight
    switch entry.dtype {
    case .float32: weight = Weight(name: name, shape: shape, format: .float32, storage: storage)
    case .bfloat16: weight = Weight(name: name, shape: shape, format: .bfloat16, storage: storage)
    case .int8:
      let scales = try file.entry(name + ".scales")
      guard scales.dtype == .float32, shape.count == 2, scales.shape.count == 2, scales.shape[0] == shape[0],
        scales.shape[1] > 0, shape[1] % scales.shape[1] == 0
      else {
        throw ModelError.shapeMismatch(
          name: name + ".scales", file: file.path, expected: [shape[0], 1], found: scales.shape)
      }
      weight = Weight(
        name: name, shape: shape, format: .int8(group: shape[1] / scales.shape[1]), storage: storage,
        scales: try mapped(scales))
    default:
      throw ModelError.invalid(
        file: file.path,
        reason:
          "the tensor '\(name)' is stored as \(entry.dtype.rawValue); Legato reads F32, BF16 and I8 weights")
    }
    guard weight.isFinite else { throw ModelError.notFinite(name: name, file: file.path) }
    return weight
  }

  private func mapped(_ entry: SafetensorsFile.Entry) throws -> WeightStorage {
    let pointer = try file.pointer(to: entry.name)
    let bytes = UnsafeRawBufferPointer(start: pointer, count: entry.byteRange.count)
    guard Int(bitPattern: pointer) % min(entry.dtype.byteCount, 8) == 0 else {
      // A file by another writer may start its data at any byte; kernels need whole elements.
      return WeightStorage(byteCount: bytes.count) { $0.copyMemory(from: bytes) }
    }
    return WeightStorage(mapped: bytes, owner: file)
  }
}

extension SafetensorsWriter {
  /// Writes weights in their formats.
  public static func write(_ weights: [Weight], to path: String, metadata: [String: String] = [:]) throws {
    var declarations: [Declaration] = []
    for weight in weights {
      switch weight.format {
      case .float32: declarations.append(.init(weight.name, .float32, weight.shape))
      case .bfloat16: declarations.append(.init(weight.name, .bfloat16, weight.shape))
      case .int8(let group):
        declarations.append(.init(weight.name, .int8, weight.shape))
        declarations.append(
          .init(weight.name + ".scales", .float32, [weight.shape[0], weight.shape[1] / group]))
      }
    }
    let writer = try SafetensorsWriter(path: path, tensors: declarations, metadata: metadata)
    for weight in weights {
      try writer.append(weight.storage.bytes, to: weight.name)
      if let scales = weight.scales { try writer.append(scales.bytes, to: weight.name + ".scales") }
    }
    try writer.finish()
  }
}
