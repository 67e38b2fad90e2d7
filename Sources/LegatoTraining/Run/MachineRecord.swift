import Foundation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a run computes on. Resuming gives exactly the same numbers only where this is the same.
public struct MachineRecord: Codable, Sendable, Equatable {
  /// `x86_64`, `aarch64`, `arm64`.
  public var architecture: String
  /// The processor's name.
  public var processor: String
  public var system: String
  /// The version of libtorch that the plug-in loaded.
  public var torch: String
  public var threads: Int
  /// `cpu`, `cuda:0 (NVIDIA …)`.
  public var device: String
  /// In which products are computed, which need not be what the recipe asks for; nil in records of before.
  public var precision: String?

  public init(
    architecture: String, processor: String, system: String, torch: String, threads: Int, device: String,
    precision: String? = nil
  ) {
    self.architecture = architecture
    self.processor = processor
    self.system = system
    self.torch = torch
    self.threads = threads
    self.device = device
    self.precision = precision
  }

  /// This machine.
  public static func current(torch: String, threads: Int, device: String, precision: Recipe.Precision)
    -> MachineRecord
  {
    var names = utsname()
    uname(&names)
    func text(_ field: some Any) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    let architecture = text(names.machine)
    return MachineRecord(
      architecture: architecture, processor: processorName() ?? architecture, system: text(names.sysname),
      torch: torch, threads: threads, device: device, precision: precision.rawValue)
  }

  private static func processorName() -> String? {
    #if canImport(Darwin)
      var size = 0
      guard sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0) == 0, size > 1 else { return nil }
      var name = [UInt8](repeating: 0, count: size)
      guard sysctlbyname("machdep.cpu.brand_string", &name, &size, nil, 0) == 0 else { return nil }
      return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    #else
      guard let file = FileHandle(forReadingAtPath: "/proc/cpuinfo"),
        let data = try? file.read(upToCount: 1 << 16)
      else { return nil }
      var parts: [String] = []
      for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
        let pair = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        guard pair.count == 2 else { continue }
        if pair[0] == "model name" { return pair[1] }
        // ARM kernels give numbers, of the first core here, in place of a name.
        if ["CPU implementer", "CPU part", "CPU variant"].contains(pair[0]), parts.count < 3 {
          parts.append("\(pair[0]) \(pair[1])")
        }
      }
      return parts.isEmpty ? nil : parts.joined(separator: ", ")
    #endif
  }

  /// What differs from an earlier record, one sentence each.
  public func differences(from earlier: MachineRecord) -> [String] {
    let pairs = [
      ("processor type", earlier.architecture, architecture), ("processor", earlier.processor, processor),
      ("system", earlier.system, system), ("libtorch", earlier.torch, torch),
      ("thread count", "\(earlier.threads)", "\(threads)"), ("device", earlier.device, device),
      ("precision", earlier.precision ?? precision ?? "", precision ?? ""),
    ]
    return pairs.filter { $0.1 != $0.2 }.map { "\($0.0) was \($0.1), is \($0.2)" }
  }
}
