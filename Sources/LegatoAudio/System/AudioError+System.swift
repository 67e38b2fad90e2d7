import LegatoTensor

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension AudioError {
  static func reading(_ path: String, _ code: Int32) -> AudioError {
    if code == ENOENT || code == ENOTDIR { return .fileNotFound(path: path) }
    let explanation = SystemCallError("open", path: path, code: code).explanation
    return .cannotRead(path: path, reason: String(explanation.dropLast()))
  }

  /// Runs `body`; what the system refuses to write becomes an ``AudioError``.
  static func writing<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as SystemCallError {
      switch error.code {
      case ENOSPC, EDQUOT: throw AudioError.diskFull(path: error.path)
      case EPIPE: throw AudioError.outputClosed(path: error.path)
      default:
        throw AudioError.cannotWrite(path: error.path, reason: String(error.explanation.dropLast()))
      }
    }
  }
}
