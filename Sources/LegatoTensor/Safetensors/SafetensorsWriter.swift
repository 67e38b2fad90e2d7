/// Writes a safetensors file as a stream: all tensors are declared first, then their bytes appended in
/// pieces, in any order between tensors. The file appears under its name only in `finish()`.
///
/// Tensor data starts at a multiple of 64 bytes, and tensors are ordered by element size (largest first,
/// then by name), so each is aligned to its element size and equal content gives equal files.
public final class SafetensorsWriter {
  /// A tensor to be written.
  public struct Declaration: Sendable, Equatable {
    public var name: String
    public var dtype: SafetensorsDType
    public var shape: [Int]

    public init(_ name: String, _ dtype: SafetensorsDType, _ shape: [Int]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
    }
  }

  private struct Slot {
    var dtype: SafetensorsDType
    var position: Int
    var end: Int
  }

  public let path: String
  private let file: DurableFile
  private var slots: [String: Slot] = [:]
  private let order: [String]

  /// Begins a file. Names must differ, and shapes must be addressable: anything else is the caller's mistake.
  public init(
    path: String, tensors: [Declaration], metadata: [String: String] = [:]
  ) throws(SafetensorsError) {
    self.path = path
    let sorted = tensors.sorted { ($1.dtype.byteCount, $0.name) < ($0.dtype.byteCount, $1.name) }
    order = sorted.map(\.name)

    var header = "{"
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }
        .map { "\(JSONString.quoted($0.key)):\(JSONString.quoted($0.value))" }
      header += "\"\(SafetensorsHeader.metadataName)\":{\(pairs.joined(separator: ","))}"
    }
    var end = 0
    for tensor in sorted {
      precondition(tensor.name != SafetensorsHeader.metadataName, "a tensor may not be named __metadata__")
      precondition(slots[tensor.name] == nil, "the tensor \(tensor.name) is declared twice")
      guard let size = tensor.dtype.byteCount(shape: tensor.shape) else {
        preconditionFailure("the tensor \(tensor.name) has the impossible shape \(tensor.shape)")
      }
      slots[tensor.name] = Slot(dtype: tensor.dtype, position: end, end: end + size)
      if header.utf8.count > 1 { header += "," }
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      header += "\(JSONString.quoted(tensor.name)):{\"dtype\":\"\(tensor.dtype.rawValue)\","
      header += "\"shape\":[\(shape)],\"data_offsets\":[\(end),\(end + size)]}"
      end += size
    }
    header += "}"
    var bytes = Array(header.utf8)
    bytes.append(contentsOf: repeatElement(0x20, count: (64 - (8 + bytes.count) % 64) % 64))
    let prefix = withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { Array($0) }
    let dataStart = 8 + bytes.count
    for name in slots.keys {
      slots[name]?.position += dataStart
      slots[name]?.end += dataStart
    }
    do throws(SystemCallError) {
      file = try DurableFile(path: path)
      try file.write(prefix + bytes, at: 0)
    } catch {
      throw .write(error)
    }
  }

  /// Appends bytes (little-endian) to a declared tensor.
  public func append(_ bytes: UnsafeRawBufferPointer, to name: String) throws(SafetensorsError) {
    guard let slot = slots[name] else { preconditionFailure("the tensor \(name) was not declared") }
    precondition(bytes.count <= slot.end - slot.position, "the tensor \(name) receives more than it declared")
    do throws(SystemCallError) {
      try file.write(bytes, at: slot.position)
    } catch {
      throw .write(error)
    }
    slots[name]?.position += bytes.count
  }

  /// Appends values to a declared floating-point tensor, rounded to its type (nearest even).
  public func append(_ values: [Float], to name: String) throws(SafetensorsError) {
    guard let slot = slots[name] else { preconditionFailure("the tensor \(name) was not declared") }
    switch slot.dtype {
    case .float32: try append(values.map { $0.bitPattern.littleEndian }, to: name)
    case .float64: try append(values.map { Double($0).bitPattern.littleEndian }, to: name)
    case .bfloat16: try append(values.map { FloatBits.bfloat16($0).littleEndian }, to: name)
    case .float16: try append(values.map { FloatBits.float16($0).littleEndian }, to: name)
    default: preconditionFailure("the tensor \(name) holds \(slot.dtype.rawValue), not floats")
    }
  }

  private func append<Word>(_ words: [Word], to name: String) throws(SafetensorsError) {
    let result = words.withUnsafeBytes { bytes in
      Result { () throws(SafetensorsError) in try append(bytes, to: name) }
    }
    try result.get()
  }

  /// Flushes the file to the disk and gives it its name.
  ///
  /// - Throws: `SafetensorsError.Kind.incomplete` where a declared tensor lacks bytes; `.cannotWrite`.
  public func finish() throws(SafetensorsError) {
    for name in order {
      guard let slot = slots[name], slot.position < slot.end else { continue }
      throw SafetensorsError(
        .incomplete, file: path, tensor: name, reason: "\(slot.end - slot.position) bytes were never written",
        remedy: "Run the command again; if it repeats, report it as a bug.")
    }
    do throws(SystemCallError) {
      try file.commit()
    } catch {
      throw .write(error)
    }
  }
}

extension SafetensorsWriter {
  /// A tensor with its values, for small files written whole.
  public struct FloatTensor: Sendable, Equatable {
    public var name: String
    public var shape: [Int]
    public var values: [Float]
    public var dtype: SafetensorsDType

    public init(_ name: String, _ shape: [Int], _ values: [Float], as dtype: SafetensorsDType = .float32) {
      precondition(shape.reduce(1, *) == values.count, "\(name): \(values.count) values for shape \(shape)")
      self.name = name
      self.shape = shape
      self.values = values
      self.dtype = dtype
    }
  }

  /// Writes a file whole.
  public static func write(
    _ tensors: [FloatTensor], to path: String, metadata: [String: String] = [:]
  ) throws(SafetensorsError) {
    let writer = try SafetensorsWriter(
      path: path, tensors: tensors.map { Declaration($0.name, $0.dtype, $0.shape) }, metadata: metadata)
    for tensor in tensors { try writer.append(tensor.values, to: tensor.name) }
    try writer.finish()
  }
}
