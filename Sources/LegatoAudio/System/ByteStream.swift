#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Bytes read in order from a file or a pipe, with a look ahead; files can also be sought.
final class ByteStream {
  /// Name for errors.
  let path: String
  /// Bytes of a regular file; nil for a pipe or a device.
  let length: Int?
  /// Bytes consumed so far.
  private(set) var position = 0

  private let descriptor: Int32
  private let owned: Bool
  private var ahead: [UInt8] = []

  /// Opens `path`, or standard input for "-".
  init(path: String) throws {
    self.path = path
    if path == "-" {
      descriptor = 0
      owned = false
      length = nil
      return
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw AudioError.reading(path, errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw AudioError.reading(path, code)
    }
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFDIR else {
      close(descriptor)
      throw AudioError.notAudio(path: path, reason: "it is a folder")
    }
    self.descriptor = descriptor
    owned = true
    length = kind == S_IFREG ? Int(status.st_size) : nil
  }

  /// Reads from a descriptor that the stream then owns.
  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
    owned = true
    length = nil
  }

  deinit {
    if owned { close(descriptor) }
  }

  /// Up to `count` next bytes, left in the stream; fewer only at the end.
  func peek(_ count: Int) throws -> [UInt8] {
    while ahead.count < count {
      let more = try readDescriptor(count - ahead.count)
      if more.isEmpty { break }
      ahead += more
    }
    return Array(ahead.prefix(count))
  }

  /// Up to `count` next bytes; fewer only at the end.
  func read(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    if !ahead.isEmpty {
      bytes = Array(ahead.prefix(count))
      ahead.removeFirst(bytes.count)
    }
    while bytes.count < count {
      let more = try readDescriptor(count - bytes.count)
      if more.isEmpty { break }
      if bytes.isEmpty { bytes = more } else { bytes += more }
    }
    position += bytes.count
    return bytes
  }

  /// Moves forward; past the end of a file, reads then return nothing.
  func skip(_ count: Int) throws {
    if length != nil { return try seek(to: position + count) }
    var left = count
    while left > 0 {
      let bytes = try read(min(left, 1 << 16))
      if bytes.isEmpty { return }
      left -= bytes.count
    }
  }

  /// Moves to an absolute byte; only for regular files.
  func seek(to target: Int) throws {
    precondition(length != nil, "ByteStream.seek: \(path) is not a regular file")
    guard lseek(descriptor, off_t(target), SEEK_SET) >= 0 else { throw AudioError.reading(path, errno) }
    ahead = []
    position = target
  }

  private func readDescriptor(_ count: Int) throws -> [UInt8] {
    let path = self.path
    let descriptor = self.descriptor
    // A header can lie about sizes: memory grows with what is really there.
    let count = min(count, 1 << 22)
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while true {
        let done = systemRead(descriptor, buffer.baseAddress, count)
        if done >= 0 {
          filled = done
          return
        }
        if errno != EINTR { throw AudioError.reading(path, errno) }
      }
    }
  }
}

// Inside a class with a `read` method the C function of that name is hidden.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  read(descriptor, buffer, count)
}
