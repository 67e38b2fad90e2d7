import LegatoTensor

/// Weights in a safetensors file: f32 and bf16 are used where the file is mapped; those of a large file are copied, while they are
/// checked, to pages of 2 MiB, from which a frame reads them up to a quarter faster. int8 and int4 are laid out anew.
///
/// int8 matrices are stored as I8 `[outputs, inputs]`, int4 matrices as U8 `[outputs, inputs / 2]`, each with its scales beside it
/// under `NAME.scales`, F32 `[outputs, inputs / group]`.
public final class FileWeights: WeightSource {
  public let file: SafetensorsFile

  public init(path: String) throws { file = try SafetensorsFile(path: path) }

  public func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    guard file.contains(name) else { throw ModelError.missingTensor(name: name, file: file.path) }
    let entry = try file.entry(name)
    let columns = shape.count == 2 ? shape[1] : nil
    var stored = shape
    if entry.dtype == .uint8, let columns {
      guard columns % 2 == 0 else {
        throw ModelError.invalid(
          file: file.path,
          reason: "the tensor '\(name)' is stored as int4, which rows of \(columns) cannot be")
      }
      stored[1] = columns / 2
    }
    guard entry.shape == stored else {
      throw ModelError.shapeMismatch(name: name, file: file.path, expected: stored, found: entry.shape)
    }
    let weight: Weight
    switch (entry.dtype, columns) {
    case (.float32, _):
      weight = Weight(name: name, shape: shape, format: .float32, storage: try mapped(entry))
    case (.bfloat16, _):
      weight = Weight(name: name, shape: shape, format: .bfloat16, storage: try mapped(entry))
    case (.int8, let columns?):
      let (scales, group) = try scales(of: name, rows: shape[0], columns: columns)
      // Symmetric int8 has no −128, and kernels count on it.
      guard try !bytes(of: entry).contains(0x80) else {
        throw ModelError.invalid(
          file: file.path, reason: "the tensor '\(name)' contains −128; int8 weights are from −127 to 127")
      }
      weight = try rounded(entry, shape: shape, format: .int8(group: group), scales: scales)
    case (.uint8, let columns?):
      let (scales, group) = try scales(of: name, rows: shape[0], columns: columns)
      guard group % 2 == 0 else {
        throw ModelError.invalid(
          file: file.path,
          reason: "the tensor '\(name)' is stored as int4 in groups of \(group); they must be even")
      }
      weight = try rounded(entry, shape: shape, format: .int4(group: group), scales: scales)
    default:
      throw ModelError.invalid(
        file: file.path,
        reason:
          "the tensor '\(name)' of shape \(shape) is stored as \(entry.dtype.rawValue); Legato reads F32 and BF16, and I8 and U8 matrices with scales"
      )
    }
    guard weight.isFinite else { throw ModelError.notFinite(name: name, file: file.path) }
    return weight
  }

  /// The scales of a quantised matrix, and how many columns share one, by their shape.
  private func scales(of name: String, rows: Int, columns: Int) throws -> (SafetensorsFile.Entry, group: Int)
  {
    let name = name + ".scales"
    guard file.contains(name) else { throw ModelError.missingTensor(name: name, file: file.path) }
    let entry = try file.entry(name)
    guard entry.dtype == .float32 else {
      throw ModelError.invalid(
        file: file.path, reason: "the tensor '\(name)' is stored as \(entry.dtype.rawValue); scales are F32")
    }
    guard entry.shape.count == 2, entry.shape[0] == rows else {
      throw ModelError.shapeMismatch(name: name, file: file.path, expected: [rows, 1], found: entry.shape)
    }
    guard entry.shape[1] > 0, columns % entry.shape[1] == 0 else {
      throw ModelError.invalid(
        file: file.path,
        reason:
          "the tensor '\(name)' has \(entry.shape[1]) scales a row, which do not divide \(columns) columns")
    }
    return (entry, columns / entry.shape[1])
  }

  /// An int8 or int4 matrix, laid out for its kernels; the file's pages are given back.
  private func rounded(
    _ entry: SafetensorsFile.Entry, shape: [Int], format: WeightFormat, scales: SafetensorsFile.Entry
  ) throws -> Weight {
    let weight = Weight(
      name: entry.name, shape: shape, format: format, values: try bytes(of: entry),
      scales: try bytes(of: scales).assumingMemoryBound(to: Float.self))
    guard let weight else {
      throw ModelError.invalid(file: file.path, reason: "there is no memory for the tensor '\(entry.name)'")
    }
    try file.drop(entry.name)
    try file.drop(scales.name)
    return weight
  }

  private func bytes(of entry: SafetensorsFile.Entry) throws -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: try file.pointer(to: entry.name), count: entry.byteRange.count)
  }

  /// Files of more are copied: smaller ones fit into the caches of many a processor, and begin to play sooner as they are.
  private static let mostMapped = 48 << 20

  private func mapped(_ entry: SafetensorsFile.Entry) throws -> WeightStorage {
    let bytes = try bytes(of: entry)
    // Where there is no memory for it, the file serves.
    if file.byteCount > Self.mostMapped, let copy = WeightStorage(copying: bytes) {
      try file.drop(entry.name)
      return copy
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
      case .int4(let group):
        declarations.append(.init(weight.name, .uint8, [weight.shape[0], weight.shape[1] / 2]))
        declarations.append(
          .init(weight.name + ".scales", .float32, [weight.shape[0], weight.shape[1] / group]))
      }
    }
    let writer = try SafetensorsWriter(path: path, tensors: declarations, metadata: metadata)
    for weight in weights {
      let rows = weight.rows()
      try withExtendedLifetime(rows) {
        try writer.append(rows.values.bytes, to: weight.name)
        if let scales = rows.scales { try writer.append(scales.bytes, to: weight.name + ".scales") }
      }
    }
    try writer.finish()
  }
}
