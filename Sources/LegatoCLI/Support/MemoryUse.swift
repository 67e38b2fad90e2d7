import Foundation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Memory of this process.
enum MemoryUse {
  /// The largest resident size so far, in bytes.
  static var peak: Int {
    #if os(Linux)
      // getrusage would count what the process that started this one took: exec keeps its maximum.
      if let bytes = status("VmHWM:") { return bytes }
    #endif
    var usage = rusage()
    // RUSAGE_SELF, which each C library imports with another type.
    getrusage(0, &usage)
    #if canImport(Darwin)
      return usage.ru_maxrss
    #else
      return usage.ru_maxrss * 1024
    #endif
  }

  /// The resident size of the moment, in bytes; where the system has no file that tells it, the largest so far.
  static var resident: Int {
    #if os(Linux)
      if let bytes = status("VmRSS:") { return bytes }
    #endif
    return peak
  }

  #if os(Linux)
    private static func status(_ field: String) -> Int? {
      guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix(field) }),
        let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
      else { return nil }
      return kibibytes * 1024
    }
  #endif
}
