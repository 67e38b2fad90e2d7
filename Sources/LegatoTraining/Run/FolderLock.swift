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

  convenience init(folder: String) throws {
    let descriptor = try Self.opened(folder)
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
    self.init(locked: descriptor)
  }

  /// The lock of that name where no other process has it; nil otherwise.
  static func ifFree(folder: String, name: String) throws -> FolderLock? {
    try waiting(folder: folder, name: name, isOver: { true }, tell: {})
  }

  /// The lock once no other process has it; nil where `isOver` before.
  ///
  /// - Parameter tell: called once where it has to wait.
  static func waiting(folder: String, name: String = name, isOver: () -> Bool, tell: () -> Void) throws
    -> FolderLock?
  {
    let descriptor = try opened(folder, name)
    var waits = false
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK, !isOver() else {
        close(descriptor)
        if code == EWOULDBLOCK { return nil }
        throw RunError(SystemCallError("lock the folder", path: folder, code: code))
      }
      if !waits { tell() }
      waits = true
      usleep(200_000)
    }
    return FolderLock(locked: descriptor)
  }

  private static func opened(_ folder: String, _ name: String = name) throws -> Int32 {
    let descriptor = open("\(folder)/\(name)", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw RunError(SystemCallError("lock the run", path: folder, code: errno)) }
    return descriptor
  }

  private init(locked descriptor: Int32) {
    self.descriptor = descriptor
    // For the message above alone; the lock itself does not depend on it.
    let owner = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = pwrite(descriptor, owner, owner.count, 0)
  }

  deinit {
    // A process that another thread is just starting holds the descriptor, and so the lock, until it is replaced by its program.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
