import CTorchAPI
import LegatoTensor

/// Where tensors live.
public enum TorchDevice: Sendable, Hashable, CustomStringConvertible {
  case cpu
  case cuda(Int)

  /// The first GPU, where there is one. Throws ``TorchError`` where libtorch is missing.
  public static func automatic() throws -> TorchDevice {
    try TorchRuntime.cudaDeviceCount() > 0 ? .cuda(0) : .cpu
  }

  /// "cpu", "cuda", "cuda:1".
  public init?(_ name: String) {
    switch name {
    case "cpu": self = .cpu
    case "cuda": self = .cuda(0)
    default:
      guard name.hasPrefix("cuda:"), let index = Int(name.dropFirst(5)), index >= 0 else { return nil }
      self = .cuda(index)
    }
  }

  public var description: String {
    switch self {
    case .cpu: "cpu"
    case .cuda(let index): "cuda:\(index)"
    }
  }

  var code: Int32 {
    switch self {
    case .cpu: Int32(LGT_CPU)
    case .cuda(let index): Int32(index)
    }
  }
}

/// libtorch as a whole: whether it is there, which one, its threads. These settings are the process's.
public enum TorchRuntime {
  public struct Versions: Sendable, Equatable {
    /// The libtorch that the plug-in was compiled for, and the one that is loaded.
    public let compiled: String
    public let loaded: String
    public let pluginPath: String
  }

  /// Bytes of a GPU that tensors occupy, now and at most.
  public struct Memory: Sendable, Equatable {
    public let allocated: Int
    public let maximum: Int
  }

  /// Whether the plug-in can be loaded. ``check()`` says why not.
  public static var isAvailable: Bool { (try? plugin()) != nil }

  /// Throws ``TorchError`` where the plug-in is missing or refused.
  public static func check() throws { _ = try plugin() }

  public static func versions() throws -> Versions {
    let plugin = try plugin()
    var compiled: UnsafePointer<CChar>?
    var loaded: UnsafePointer<CChar>?
    try plugin.call("versions") { $0.pointee.versions(&compiled, &loaded) }
    return Versions(
      compiled: compiled.map { String(cString: $0) } ?? "", loaded: loaded.map { String(cString: $0) } ?? "",
      pluginPath: plugin.path)
  }

  /// Threads within one operation. Set it before the first operation; results are repeatable for one number.
  public static func setThreads(_ count: Int) throws {
    try plugin().call("setThreads") { $0.pointee.set_threads(Int32(clamping: count)) }
  }

  public static func threads() throws -> Int {
    var count: Int32 = 0
    try plugin().call("threads") { $0.pointee.get_threads(&count) }
    return Int(count)
  }

  /// Deterministic algorithms, where libtorch has them; on from the start.
  public static func setDeterministic(_ on: Bool) throws {
    try plugin().call("setDeterministic") { $0.pointee.set_deterministic(on ? 1 : 0) }
  }

  /// Number of CUDA devices. The first question loads libtorch's CUDA libraries, where they are installed.
  public static func cudaDeviceCount() throws -> Int {
    var count: Int32 = 0
    try plugin().call("cudaDeviceCount") { $0.pointee.cuda_devices(&count) }
    return Int(count)
  }

  /// Memory of a GPU; nil for the CPU.
  public static func memory(of device: TorchDevice) throws -> Memory? {
    guard device != .cpu else { return nil }
    var (allocated, maximum): (Int64, Int64) = (0, 0)
    try plugin().call("memory of \(device)") { $0.pointee.memory(device.code, &allocated, &maximum) }
    return Memory(allocated: Int(allocated), maximum: Int(maximum))
  }

  /// Tensors that are alive, in the process and of those that this thread made: the leak test.
  public static func liveHandles() throws -> (process: Int, thread: Int) {
    var (process, thread): (Int64, Int64) = (0, 0)
    try plugin().call("liveHandles") { $0.pointee.live_handles(&process, &thread) }
    return (Int(process), Int(thread))
  }

  static func plugin() throws(TorchError) -> TorchPlugin { try TorchPlugin.shared.get() }
}
