import LegatoTensor

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Keeps a second process out of a folder, for as long as the object lives. The system releases the lock
/// when the process ends, however it ends.
final class FolderLock: Sendable {
  static let name = ".lock"
  private let descriptor: Int32

  init(folder: String) throws {
    let path = "\(folder)/\(Self.name)"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw RunError(SystemCallError("lock the run", path: folder, code: errno)) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      var buffer = [UInt8](repeating: 0, count: 20)
      let count = max(0, pread(descriptor, &buffer, buffer.count, 0))
      close(descriptor)
      guard code == EWOULDBLOCK else {
        throw RunError(SystemCallError("lock the run", path: folder, code: code))
      }
      let owner = String(decoding: buffer[..<count].prefix { (0x30...0x39).contains($0) }, as: UTF8.self)
      throw RunError(
        folder, "another process\(owner.isEmpty ? "" : " (\(owner))") is training here",
        "Wait until it ends or stop it, or choose another folder.")
    }
    // For the message above alone; the lock itself does not depend on it.
    let owner = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = pwrite(descriptor, owner, owner.count, 0)
  }

  deinit { close(descriptor) }
}
