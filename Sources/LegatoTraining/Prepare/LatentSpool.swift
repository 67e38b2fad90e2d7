import LegatoTensor

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Latents whose number is not known yet: in memory while few, then in a nameless file beside the output, so that
/// an hour-long recording takes no more memory than a short one and a killed process leaves nothing.
struct LatentSpool {
  private(set) var byteCount = 0
  private let folder: String
  private let limit: Int
  private var memory: [UInt8] = []
  private var file: NamelessFile?

  /// - Parameter limit: bytes kept in memory.
  init(folder: String, limit: Int = 1 << 20) {
    self.folder = folder
    self.limit = limit
  }

  /// Rounds to half precision. Values beyond its range become infinite: the caller checks what it writes.
  mutating func appendFloat16(_ values: UnsafeBufferPointer<Float>) throws {
    for value in values { append(FloatBits.float16(value)) }
    try flush()
  }

  mutating func appendFloat32(_ values: UnsafeBufferPointer<Float>) throws {
    for value in values { append(value.bitPattern) }
    try flush()
  }

  private mutating func append<Word: FixedWidthInteger>(_ word: Word) {
    withUnsafeBytes(of: word.littleEndian) { memory.append(contentsOf: $0) }
    byteCount += MemoryLayout<Word>.size
  }

  private mutating func flush() throws {
    guard memory.count >= limit else { return }
    let file = try self.file ?? NamelessFile(folder: folder)
    self.file = file
    try file.write(memory, at: byteCount - memory.count)
    memory.removeAll(keepingCapacity: true)
  }

  /// Appends everything to a tensor that was declared with `byteCount` bytes.
  func copy(to name: String, of writer: SafetensorsWriter) throws {
    if let file {
      let end = byteCount - memory.count
      var position = 0
      while position < end {
        let block = try file.read(min(1 << 20, end - position), at: position)
        try block.withUnsafeBytes { try writer.append($0, to: name) }
        position += block.count
      }
    }
    try memory.withUnsafeBytes { try writer.append($0, to: name) }
  }
}

/// A file without a name: it ends with its descriptor.
final class NamelessFile: Sendable {
  private let descriptor: Int32
  private let folder: String

  init(folder: String) throws {
    var template = Array((folder + "/.spool-XXXXXX").utf8CString)
    descriptor = mkstemp(&template)
    self.folder = folder
    if descriptor < 0 {
      throw LatentError(writing: SystemCallError("create a temporary file", path: folder, code: errno))
    }
    unlink(template)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit { close(descriptor) }

  func write(_ bytes: [UInt8], at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
      }
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        let code = count == 0 ? ENOSPC : errno
        throw LatentError(writing: SystemCallError("write a temporary file", path: folder, code: code))
      }
    }
  }

  /// `count` bytes, which must be there.
  func read(_ count: Int, at offset: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
      }
      if got > 0 {
        done += got
      } else if got == 0 || errno != EINTR {
        throw LatentError(
          writing: SystemCallError("read a temporary file", path: folder, code: got == 0 ? EIO : errno))
      }
    }
    return bytes
  }
}
