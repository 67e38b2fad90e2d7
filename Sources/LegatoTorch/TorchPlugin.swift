import CTorchAPI

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The plug-in: its table of functions and where it was found.
struct TorchPlugin: Sendable {
  /// Safety of `nonisolated(unsafe)`: the table is constant memory of a library that is never closed, so any
  /// thread may read it at any time.
  nonisolated(unsafe) let api: UnsafePointer<lgt_api>
  let path: String

  /// Loaded at first use; a failure is the same one each time.
  static let shared = Result<TorchPlugin, TorchError> { () throws(TorchError) in
    try find(chosen: getenv("LEGATO_TORCH_PLUGIN").map { String(cString: $0) })
  }

  #if canImport(Darwin)
    static let fileName = "liblegato_torch.dylib"
  #else
    static let fileName = "liblegato_torch.so"
  #endif
  static let folder = ".tools/torch-plugin"

  /// Tries, in order: `chosen`, the value of `LEGATO_TORCH_PLUGIN` (and then nothing else: a wrong path must not
  /// fall back silently);
  /// beside the executable; `.tools/torch-plugin` in the folders above the executable, then in the working folder
  /// and those above it; the bare name, for the system's loader.
  static func find(chosen: String?) throws(TorchError) -> TorchPlugin {
    if let path = chosen, !path.isEmpty {
      switch try open(path) {
      case .opened(let plugin): return plugin
      case .absent(let reason): throw .pluginNotFound(attempts: ["LEGATO_TORCH_PLUGIN: \(reason)"])
      }
    }
    var attempts: [String] = []
    for path in candidates() {
      let isBareName = !path.contains("/")
      guard isBareName || access(path, F_OK) == 0 else { continue }
      switch try open(path) {
      case .opened(let plugin): return plugin
      case .absent(let reason): if !isBareName { attempts.append(reason) }
      }
    }
    throw .pluginNotFound(attempts: attempts)
  }

  enum Attempt {
    case opened(TorchPlugin)
    case absent(String)
  }

  /// Opens a library and checks that it is our plug-in, of our ABI version, with the libtorch it was built for.
  static func open(_ path: String) throws(TorchError) -> Attempt {
    // Spinning OpenMP workers ruin throughput where another job shares the cores; libgomp reads it when loaded.
    setenv("OMP_WAIT_POLICY", "passive", 0)
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else { return .absent(lastError()) }
    guard let symbol = dlsym(library, LEGATO_TORCH_ENTRY) else {
      throw .pluginRefused(path: path, reason: "it has no function '\(LEGATO_TORCH_ENTRY)'")
    }
    let entry = unsafeBitCast(
      symbol,
      to: (@convention(c) (
        UInt32, UnsafeMutablePointer<UnsafePointer<lgt_api>?>?, UnsafeMutablePointer<UnsafePointer<CChar>?>?
      ) -> Int32).self)
    var table: UnsafePointer<lgt_api>?
    var reason: UnsafePointer<CChar>?
    guard entry(UInt32(LEGATO_TORCH_ABI_VERSION), &table, &reason) == 0, let table else {
      throw .pluginRefused(path: path, reason: reason.map { String(cString: $0) } ?? "no reason given")
    }
    guard table.pointee.version == UInt32(LEGATO_TORCH_ABI_VERSION),
      Int(table.pointee.byte_count) == MemoryLayout<lgt_api>.size
    else {
      throw .pluginRefused(
        path: path, reason: "its list of functions differs from the one Legato was built with")
    }
    _ = table.pointee.set_deterministic(1)
    return .opened(TorchPlugin(api: table, path: path))
  }

  private static func candidates() -> [String] {
    var paths: [String] = []
    func add(_ path: String) { if !paths.contains(path) { paths.append(path) } }
    let executable = executableFolder()
    if let executable { add(executable + "/" + fileName) }
    for start in [executable, workingFolder()] {
      guard var folder = start else { continue }
      while true {
        add(folder + "/" + Self.folder + "/" + fileName)
        guard let slash = folder.lastIndex(of: "/") else { break }
        folder = String(folder[..<slash])
      }
    }
    return paths + [fileName]
  }

  private static func executableFolder() -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    #if canImport(Darwin)
      var size = UInt32(buffer.count)
      guard _NSGetExecutablePath(&buffer, &size) == 0 else { return nil }
    #else
      guard readlink("/proc/self/exe", &buffer, buffer.count - 1) > 0 else { return nil }
    #endif
    let path = string(buffer)
    return path.lastIndex(of: "/").map { String(path[..<$0]) }
  }

  private static func workingFolder() -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    return getcwd(&buffer, buffer.count) == nil ? nil : string(buffer)
  }

  private static func string(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func lastError() -> String {
    dlerror().map { String(cString: $0) } ?? "could not be opened"
  }

  /// Text of the failure that the call just before reported on this thread.
  func failure() -> String {
    var text: UnsafePointer<CChar>?
    guard api.pointee.last_error(&text) == 0, let text else { return "no reason given" }
    return String(cString: text)
  }

  /// Runs a function of the table and throws what it reports.
  func call(_ context: @autoclosure () -> String, _ body: (TorchTable) -> Int32) throws(TorchError) {
    guard body(api) != 0 else { return }
    throw TorchError.reported(context: context(), reason: failure())
  }
}

typealias TorchTable = UnsafePointer<lgt_api>
