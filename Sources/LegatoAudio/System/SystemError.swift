#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The text and the typed errors of a failed system call.
enum SystemError {
  static func text(_ code: Int32) -> String {
    String(cString: strerror(code))
  }

  static func reading(_ path: String, _ code: Int32) -> AudioError {
    switch code {
    case ENOENT, ENOTDIR: .fileNotFound(path: path)
    case EACCES, EPERM: .cannotRead(path: path, reason: "permission denied; check the file's owner and mode")
    default: .cannotRead(path: path, reason: text(code))
    }
  }

  static func writing(_ path: String, _ code: Int32) -> AudioError {
    switch code {
    case ENOSPC, EDQUOT: .diskFull(path: path)
    case EPIPE: .outputClosed(path: path)
    case ENOENT: .cannotWrite(path: path, reason: "its folder does not exist; create it first")
    case ENOTDIR: .cannotWrite(path: path, reason: "a part of the path is a file, not a folder")
    case EACCES, EPERM, EROFS:
      .cannotWrite(path: path, reason: "permission denied; choose a folder that you may write to")
    case EISDIR: .cannotWrite(path: path, reason: "it is a folder; give a file name")
    default: .cannotWrite(path: path, reason: text(code))
    }
  }
}
