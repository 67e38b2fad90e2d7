#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A shared library opened at run time. It stays open for the life of the process.
struct DynamicLibrary {
  private let handle: UnsafeMutableRawPointer
  private let name: String

  /// Opens the first of `candidates` that loads.
  ///
  /// Throws ``AudioError/libraryMissing(name:install:)`` naming the command that installs it.
  init(name: String, candidates: [String], aptPackage: String, brewPackage: String) throws {
    for candidate in candidates {
      if let handle = dlopen(candidate, RTLD_NOW | RTLD_LOCAL) {
        self.handle = handle
        self.name = name
        return
      }
    }
    throw AudioError.libraryMissing(
      name: name, install: Self.installCommand(apt: aptPackage, brew: brewPackage))
  }

  /// The symbol as a C function of type `Function`.
  func function<Function>(_ symbol: String, as type: Function.Type) throws -> Function {
    guard let address = dlsym(handle, symbol) else {
      throw AudioError.libraryMissing(
        name: "\(name) with the function \(symbol)", install: "a newer release of \(name)")
    }
    return unsafeBitCast(address, to: Function.self)
  }

  static func installCommand(apt: String, brew: String) -> String {
    #if canImport(Darwin)
      "brew install \(brew)"
    #else
      "apt-get install \(apt)"
    #endif
  }

  /// File names under which `base` with major version `version` is found on this system.
  static func candidates(base: String, version: Int) -> [String] {
    #if canImport(Darwin)
      return ["", "/opt/homebrew/lib/", "/usr/local/lib/"].flatMap {
        ["\($0)\(base).\(version).dylib", "\($0)\(base).dylib"]
      }
    #else
      return ["\(base).so.\(version)", "\(base).so"]
    #endif
  }
}
