#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file that appears under its name only when complete: written beside it under a temporary name,
/// flushed to the disk, then renamed. Dropped without `commit()`, it leaves nothing behind.
///
/// A link keeps pointing where it did: what it points to is replaced. Standard output ("-") and what is not a
/// regular file (a device, a named pipe) are written directly, in order.
package final class DurableFile {
  /// As given, for errors; "standard output" for "-".
  package let path: String
  /// Whether bytes may be written at any offset: false for what is written directly.
  package let isSeekable: Bool

  private let destination: Destination
  private var temporaryPath = ""
  private var descriptor: Int32 = 1
  /// Where the bytes end that were written so far.
  private var end = 0

  /// Temporary files start with `.legato-` and end with this, so that a later run can sweep them away.
  package static let temporarySuffix = ".partial"

  package init(path: String) throws(SystemCallError) {
    destination = try Destination(path)
    switch destination {
    case .standardOutput:
      self.path = Destination.standardOutputName
      isSeekable = false
    case .direct:
      self.path = path
      isSeekable = false
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
    case .regular(let folder, _):
      self.path = path
      isSeekable = true
      let unique = String(UInt32.random(in: 0...UInt32.max), radix: 36)
      temporaryPath = "\(folder)/.legato-\(getpid())-\(unique)\(Self.temporarySuffix)"
      descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    }
    if descriptor < 0 { throw SystemCallError("create the file", path: path, code: errno) }
  }

  deinit { cancel() }

  /// Fails where a file of this name could not be written, before hours are spent on its content.
  package static func check(path: String) throws(SystemCallError) {
    guard case .regular(let folder, _) = try Destination(path) else { return }
    if access("\(folder)/.", W_OK) != 0 { throw SystemCallError("create the file", path: path, code: errno) }
  }

  /// Writes all bytes at `offset`, which must be the end of what is there unless ``isSeekable``. A failure cancels.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemCallError) {
    precondition(descriptor >= 0, "DurableFile: \(path) was already committed or cancelled")
    var code: Int32 = isSeekable || offset == end ? 0 : ESPIPE
    var done = 0
    while done < bytes.count, code == 0 {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let (count, failure) =
        isSeekable
        ? (pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done)), errno)
        : PipeSignal.withoutDeath(descriptor) {
          (systemWrite(descriptor, rest.baseAddress, rest.count), errno)
        }
      if count > 0 {
        done += count
      } else if count < 0, failure == EAGAIN {
        // Somebody made the pipe non-blocking: wait until it takes more.
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, -1)
      } else if count == 0 || failure != EINTR {
        code = count == 0 ? ENOSPC : failure
      }
    }
    end = max(end, offset + done)
    if code != 0 {
      cancel()
      throw SystemCallError("write", path: path, code: code)
    }
  }

  /// Writes all bytes at `offset`, or after the last.
  package func write(_ bytes: [UInt8], at offset: Int? = nil) throws(SystemCallError) {
    // A typed throw does not pass through a rethrowing closure, hence the carried result.
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(SystemCallError) in try write(buffer, at: offset ?? end) }
    }
    try result.get()
  }

  /// Flushes the content, gives the file its name, and flushes the folder.
  package func commit() throws(SystemCallError) {
    guard case .regular(let folder, let target) = destination else { return cancel() }
    precondition(descriptor >= 0, "DurableFile: \(path) was already committed or cancelled")
    do throws(SystemCallError) {
      try Self.flush(descriptor, "flush to the disk", path: path)
      if rename(temporaryPath, target) != 0 {
        throw SystemCallError("rename into place", path: path, code: errno)
      }
    } catch {
      cancel()
      throw error
    }
    close(descriptor)
    descriptor = -1
    try Self.flushFolder(folder)
  }

  /// Removes what was written aside; does nothing after ``commit()``.
  package func cancel() {
    guard descriptor >= 0 else { return }
    if case .standardOutput = destination {} else { close(descriptor) }
    descriptor = -1
    if isSeekable { unlink(temporaryPath) }
  }

  /// Writes a small file whole.
  package static func write(_ bytes: [UInt8], to path: String) throws(SystemCallError) {
    let file = try DurableFile(path: path)
    try file.write(bytes)
    try file.commit()
  }

  /// Flushes a folder's entries, so that a rename survives a power cut.
  package static func flushFolder(_ folder: String) throws(SystemCallError) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw SystemCallError("open the folder", path: folder, code: errno) }
    defer { close(descriptor) }
    try flush(descriptor, "flush the folder", path: folder)
  }

  private static func flush(
    _ descriptor: Int32, _ operation: String, path: String
  ) throws(SystemCallError) {
    // Some file systems (FUSE, some network shares) cannot flush and say so; what was written is there, so that is
    // no failure.
    if fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP, errno != EBADF {
      throw SystemCallError(operation, path: path, code: errno)
    }
  }
}

/// What a path names, for somebody who writes.
private enum Destination {
  case standardOutput
  /// There and no regular file.
  case direct
  /// Where the file is to appear, links followed.
  case regular(folder: String, target: String)

  static let standardOutputName = "standard output"

  init(_ path: String) throws(SystemCallError) {
    func failure(_ code: Int32) -> SystemCallError {
      SystemCallError("create the file", path: path, code: code)
    }
    if path == "-" {
      self = .standardOutput
      return
    }
    if path.isEmpty || path.hasSuffix("/") { throw failure(EISDIR) }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      if status.st_mode & S_IFMT == S_IFDIR { throw failure(EISDIR) }
      self = .direct
      return
    }
    // Link by link, since the last may point at what is not there yet.
    var target = path
    var links = 0
    while let next = Self.link(at: target) {
      links += 1
      if links > 40 { throw failure(ELOOP) }
      target = next.hasPrefix("/") ? next : Self.folder(of: target) + "/" + next
    }
    self = .regular(folder: Self.folder(of: target), target: target)
  }

  private static func link(at path: String) -> String? {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

// Inside a class with a `write` method the C function of that name is hidden.
private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, buffer, count)
}
