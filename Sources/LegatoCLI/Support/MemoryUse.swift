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
    var usage = rusage()
    // RUSAGE_SELF, which each C library imports with another type.
    getrusage(0, &usage)
    #if canImport(Darwin)
      return usage.ru_maxrss
    #else
      return usage.ru_maxrss * 1024
    #endif
  }
}
