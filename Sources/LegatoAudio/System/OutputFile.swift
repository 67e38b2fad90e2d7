#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Bytes written aside in the target's own folder and renamed into place when complete.
///
/// Standard output ("-") and what is not a regular file (a device, a named pipe) are written directly.
final class OutputFile {
  /// The path as the user gave it, for errors.
  let path: String
  /// True when earlier bytes can be patched: a regular file, still aside.
  let isSeekable: Bool

  private let target: String
  private let temporary: String?
  private var descriptor: Int32

  init(path: String) throws {
    self.path = path
    if path == "-" {
      target = path
      temporary = nil
      isSeekable = false
      descriptor = 1
      return
    }
    var status = stat()
    let exists = stat(path, &status) == 0
    let kind = status.st_mode & S_IFMT
    if exists, kind == S_IFDIR { throw SystemError.writing(path, EISDIR) }
    if path.isEmpty || path.hasSuffix("/") { throw SystemError.writing(path, EISDIR) }
    if exists, kind != S_IFREG {
      target = path
      temporary = nil
      isSeekable = false
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
    } else {
      // A link keeps pointing where it did: what it points to is replaced, not the link.
      var resolved = path
      if exists, let real = realpath(path, nil) {
        resolved = String(cString: real)
        free(real)
      }
      target = resolved
      let cut = resolved.lastIndex(of: "/").map { resolved.index(after: $0) } ?? resolved.startIndex
      let aside = "\(resolved[..<cut]).legato-\(getpid())-\(UInt32.random(in: 0 ... .max)).tmp"
      temporary = aside
      isSeekable = true
      descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    }
    guard descriptor >= 0 else { throw SystemError.writing(path, errno) }
  }

  deinit { cancel() }

  /// Writes all of `bytes`. On failure the file aside is removed.
  func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0, at: nil) }
  }

  /// Overwrites bytes already written; only when ``isSeekable``.
  func patch(_ bytes: [UInt8], at offset: Int) throws {
    precondition(isSeekable, "OutputFile.patch: \(path) cannot be sought")
    try bytes.withUnsafeBytes { try write($0, at: offset) }
  }

  /// Closes and renames into place.
  func finish() throws {
    guard descriptor >= 0 else { return }
    guard let temporary else {
      if path != "-" { close(descriptor) }
      descriptor = -1
      return
    }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else {
      let code = errno
      unlink(temporary)
      throw SystemError.writing(path, code)
    }
    guard rename(temporary, target) == 0 else {
      let code = errno
      unlink(temporary)
      throw SystemError.writing(path, code)
    }
  }

  /// Removes what was written aside; does nothing after ``finish()``.
  func cancel() {
    guard descriptor >= 0 else { return }
    if path != "-" { close(descriptor) }
    descriptor = -1
    if let temporary { unlink(temporary) }
  }

  /// Writes a whole file at once.
  static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try OutputFile(path: path)
    try file.write(bytes)
    try file.finish()
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int?) throws {
    precondition(descriptor >= 0, "OutputFile: \(path) is already finished or cancelled")
    var done = 0
    while done < bytes.count {
      let code = PipeSignal.withoutDeath(descriptor) { () -> Int32 in
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        let count =
          offset.map { pwrite(descriptor, rest.baseAddress, rest.count, off_t($0 + done)) }
          ?? systemWrite(descriptor, rest.baseAddress, rest.count)
        if count >= 0 {
          done += count
          return 0
        }
        return errno
      }
      if code == EAGAIN {
        // Somebody made the pipe non-blocking: wait until it takes more.
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, -1)
      } else if code != 0, code != EINTR {
        cancel()
        throw SystemError.writing(path, code)
      }
    }
  }
}

private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, buffer, count)
}
