#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Facts about the machine.
public enum Platform {
  /// Processors that are online.
  public static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Threads that are taken where nobody asks for a number: one a core, at most 4.
  public static var defaultThreadCount: Int { min(4, processorCount) }
}
