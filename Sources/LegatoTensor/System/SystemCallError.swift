#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file operation that the operating system refused.
package struct SystemCallError: Error, Equatable, Sendable, CustomStringConvertible {
  package var operation: String
  package var path: String
  package var code: Int32

  package init(_ operation: String, path: String, code: Int32) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  package var reason: String {
    switch code {
    case ENOENT: isReading ? "no such file" : "its folder does not exist"
    case ENOTDIR: "a part of the path is a file, not a folder"
    case EISDIR: "it is a folder"
    case EEXIST: "a file of this name is there"
    case EACCES, EPERM: "permission denied"
    case ENOSPC: "the disk is full"
    case ESPIPE: "a pipe or a device takes bytes in their order only"
    default: String(cString: strerror(code))
    }
  }

  package var remedy: String {
    switch code {
    case ENOSPC, EDQUOT: "Free some disk space or choose another disk, then run the same command again."
    case EACCES, EPERM: "Check the permissions of the file and its folder, or choose another place."
    case EROFS: "The disk is mounted read-only: choose another place."
    case ENOENT: isReading ? "Check the path." : "Create it first, or check the path."
    case ENOTDIR: "Check the path."
    case EISDIR, ESPIPE: "Name a file."
    case EEXIST: "Move it away, or choose another path."
    case EFBIG: "The file would pass the size limit of the disk or of this shell (ulimit -f)."
    case EMFILE, ENFILE: "Too many files are open; raise the limit (ulimit -n)."
    case ENAMETOOLONG: "Choose a shorter path."
    default: "Check the disk and the path, then run the same command again."
    }
  }

  /// Reason and remedy as a whole sentence or two.
  package var explanation: String { "\(reason). \(remedy)" }

  package var description: String { "\(path): cannot \(operation): \(explanation)" }

  /// Whether a file was wanted that should have been there.
  private var isReading: Bool { operation.hasPrefix("open") }
}
