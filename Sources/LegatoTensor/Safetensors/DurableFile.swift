#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file that appears under its name only when complete: written beside it under a temporary name,
/// flushed to the disk, then renamed. Dropped without `commit()`, it leaves nothing behind.
package final class DurableFile {
  package let path: String
  private let temporaryPath: String
  private var descriptor: Int32

  /// Temporary files start with a dot and end with this, so that a later run can sweep them away.
  package static let temporarySuffix = ".partial"

  package init(path: String) throws(SystemCallError) {
    self.path = path
    let (folder, name) = Self.split(path)
    let unique = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    // Long names are cut: the decorations must not push a legal name over the limit.
    temporaryPath = "\(folder)/.\(name.prefix(100)).\(getpid())-\(unique)\(Self.temporarySuffix)"
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw SystemCallError("create the file", path: path, code: errno) }
  }

  deinit {
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporaryPath)
    }
  }

  /// Writes all bytes at `offset`.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemCallError) {
    precondition(descriptor >= 0, "DurableFile was already committed")
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw SystemCallError("write", path: path, code: count == 0 ? ENOSPC : errno)
      }
    }
  }

  /// Flushes the content, gives the file its name, and flushes the folder.
  package func commit() throws(SystemCallError) {
    precondition(descriptor >= 0, "DurableFile was already committed")
    if fsync(descriptor) != 0 { throw SystemCallError("flush to the disk", path: path, code: errno) }
    if rename(temporaryPath, path) != 0 {
      throw SystemCallError("rename into place", path: path, code: errno)
    }
    close(descriptor)
    descriptor = -1
    try Self.flushFolder(Self.split(path).folder)
  }

  /// Writes a small file whole.
  package static func write(_ bytes: [UInt8], to path: String) throws(SystemCallError) {
    let file = try DurableFile(path: path)
    // A typed throw does not pass through a rethrowing closure, hence the carried result.
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(SystemCallError) in try file.write(buffer, at: 0) }
    }
    try result.get()
    try file.commit()
  }

  /// Flushes a folder's entries, so that a rename survives a power cut.
  package static func flushFolder(_ folder: String) throws(SystemCallError) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw SystemCallError("open the folder", path: folder, code: errno) }
    defer { close(descriptor) }
    // Some file systems (FUSE, some network shares) cannot flush a folder and say EINVAL; the rename
    // itself happened, so that is no failure.
    if fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP, errno != EBADF {
      throw SystemCallError("flush the folder", path: folder, code: errno)
    }
  }

  static func split(_ path: String) -> (folder: String, name: Substring) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path[...]) }
    let folder = slash == path.startIndex ? "/" : String(path[..<slash])
    return (folder, path[path.index(after: slash)...])
  }
}
