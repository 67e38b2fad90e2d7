#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file mapped into memory, read only. The mapping lives exactly as long as the object.
///
/// `@unchecked Sendable`, proof: both stored properties are constants; the memory behind `bytes` is
/// mapped `PROT_READ`, so no thread can write through it (an attempt faults); it is unmapped only in
/// `deinit`, which runs after the last reference, on any thread, is gone. Pointers that outlive the
/// object are the caller's mistake and are documented as such where they are handed out.
final class MappedFile: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  init(path: String) throws(SystemCallError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw SystemCallError("open", path: path, code: errno) }
    defer { close(descriptor) }
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw SystemCallError("examine", path: path, code: errno) }
    let type = status.st_mode & S_IFMT
    guard type == S_IFREG else {
      throw SystemCallError("open", path: path, code: type == S_IFDIR ? EISDIR : ENODEV)
    }
    guard let size = Int(exactly: status.st_size), size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw SystemCallError("map into memory", path: path, code: errno)
    }
    bytes = UnsafeRawBufferPointer(start: base, count: size)
  }

  /// Gives back the pages that lie in this range as a whole; what they hold is in the file.
  func drop(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (range.lowerBound + page - 1) / page * page
    let length = range.upperBound / page * page - first
    guard length > 0, let base = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: base) + first, length, MADV_DONTNEED)
  }

  deinit {
    if let base = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
  }
}
