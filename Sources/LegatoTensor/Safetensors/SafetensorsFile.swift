/// A safetensors file, memory-mapped and read only.
///
/// Opening reads the header alone; tensor data is paged in when touched. The file must not be changed in
/// place while it is open (replacing it by rename, as `SafetensorsWriter` does, is safe).
/// Format: 8-byte little-endian header length, JSON header, tensor data without gaps.
public final class SafetensorsFile: Sendable {
  public struct Entry: Sendable, Equatable {
    public var name: String
    public var dtype: SafetensorsDType
    public var shape: [Int]
    /// Where the tensor's bytes lie, from the beginning of the file.
    public var byteRange: Range<Int>

    /// The product of the shape; 1 for a scalar.
    public var elementCount: Int { byteRange.count / dtype.byteCount }
  }

  public let path: String
  /// The entries in the order of their data.
  public let entries: [Entry]
  /// The header's `__metadata__`.
  public let metadata: [String: String]
  private let indices: [String: Int]
  let mapped: MappedFile
  private let copies: AlignedCopies

  /// Opens `path`, maps it and checks the whole header.
  public init(path: String) throws(SafetensorsError) {
    self.path = path
    do throws(SystemCallError) {
      mapped = try MappedFile(path: path)
    } catch {
      throw SafetensorsError(
        .cannotOpen, file: path, reason: "cannot \(error.operation): \(error.reason)", remedy: error.remedy)
    }
    let header = try SafetensorsHeader(file: path, bytes: mapped.bytes)
    entries = header.entries
    metadata = header.metadata
    indices = Dictionary(uniqueKeysWithValues: header.entries.enumerated().map { ($1.name, $0) })
    copies = AlignedCopies(of: header.entries, in: mapped.bytes)
  }

  /// All names, in the order of their data.
  public var names: [String] { entries.map(\.name) }

  public func contains(_ name: String) -> Bool { indices[name] != nil }

  /// Type, shape and place of a tensor.
  public func entry(_ name: String) throws(SafetensorsError) -> Entry {
    guard let index = indices[name] else {
      throw SafetensorsError(
        .missingTensor, file: path, tensor: name, reason: "the file holds no such tensor",
        remedy: "It may belong to another model or an older version; `legato info` lists what it holds.")
    }
    return entries[index]
  }

  /// The address of a tensor's first byte: aligned to its element size, valid as long as this object lives.
  public func pointer(to name: String) throws(SafetensorsError) -> UnsafeRawPointer {
    try bytes(of: entry(name))
  }

  /// Calls `body` with the tensor's bytes, which must not escape it.
  public func withBytes<Result>(
    _ name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let entry = try entry(name)
    return try withExtendedLifetime(self) {
      try body(UnsafeRawBufferPointer(start: bytes(of: entry), count: entry.byteRange.count))
    }
  }

  /// Lets the system drop a tensor's pages from memory: they are read from the file again where they are touched again.
  public func drop(_ name: String) throws(SafetensorsError) { mapped.drop(try entry(name).byteRange) }

  /// Bytes of the whole file.
  public var byteCount: Int { mapped.bytes.count }

  private func bytes(of entry: Entry) -> UnsafeRawPointer {
    if let copy = copies.pointers[entry.byteRange.lowerBound] { return copy }
    // A header has at least 10 bytes, so the file is not empty and the mapping has an address.
    guard let base = mapped.bytes.baseAddress else { preconditionFailure("an open file is mapped") }
    return base + entry.byteRange.lowerBound
  }
}

/// Copies of those tensors that the file places across their element size: legal in the format, rare, and
/// nothing that the readers of a pointer should have to know about.
///
/// `@unchecked Sendable`, proof: the only property is a constant; the memory behind it is written in `init`
/// alone, before any other reference exists, and freed in `deinit`, after the last is gone.
private final class AlignedCopies: @unchecked Sendable {
  let pointers: [Int: UnsafeRawPointer]

  init(of entries: [SafetensorsFile.Entry], in file: UnsafeRawBufferPointer) {
    var pointers: [Int: UnsafeRawPointer] = [:]
    // The mapping begins on a page, so alignment in the file is alignment in memory.
    for entry in entries
    where !entry.byteRange.isEmpty && entry.byteRange.lowerBound % entry.dtype.byteCount != 0 {
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: entry.byteRange.count, alignment: 64)
      copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: file[entry.byteRange]))
      if let base = copy.baseAddress { pointers[entry.byteRange.lowerBound] = UnsafeRawPointer(base) }
    }
    self.pointers = pointers
  }

  deinit { for pointer in pointers.values { pointer.deallocate() } }
}
