import CKernels

/// Immutable bytes that weights point into: memory of our own, or a mapped file.
///
/// Safety of `@unchecked Sendable`: `bytes` is written only inside initialisers, before the object is visible to anyone;
/// afterwards no method gives a mutable pointer, so any number of threads may read. The memory
/// lives as long as the object: it is freed in `deinit` (our own) or kept by `owner` (a read-only mapped file).
public final class WeightStorage: @unchecked Sendable {
  public let bytes: UnsafeRawBufferPointer
  private let owner: (any AnyObject & Sendable)?

  /// Memory of our own, zero before it is filled once; nil where there is none.
  init?(zeroed byteCount: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    guard let bytes = Self.filled(byteCount, fill) else { return nil }
    self.bytes = bytes
    owner = nil
  }

  /// A copy of some bytes; nil where there is no memory for it.
  public convenience init?(copying source: UnsafeRawBufferPointer) {
    self.init(zeroed: source.count) { $0.copyMemory(from: source) }
  }

  /// Memory of our own, filled once. Traps where there is none.
  public init(byteCount: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    guard let bytes = Self.filled(byteCount, fill) else {
      preconditionFailure("no memory for \(byteCount) bytes of weights")
    }
    self.bytes = bytes
    owner = nil
  }

  private static func filled(
    _ byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void
  ) -> UnsafeRawBufferPointer? {
    guard let address = lk_zeroed(Int64(byteCount)) else { return nil }
    let memory = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    fill(memory)
    return UnsafeRawBufferPointer(memory)
  }

  public convenience init(copying values: [Float]) {
    self.init(byteCount: values.count * 4) { memory in values.withUnsafeBytes { memory.copyMemory(from: $0) }
    }
  }

  /// Bytes inside memory that `owner` keeps alive and never changes.
  public init(mapped bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
    self.bytes = bytes
    self.owner = owner
  }

  public var byteCount: Int { bytes.count }

  deinit {
    if owner == nil { lk_free_zeroed(UnsafeMutableRawPointer(mutating: bytes.baseAddress)) }
  }
}
