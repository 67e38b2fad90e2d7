import Foundation
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The few functions of libfluidsynth 2 and 3 that rendering needs, opened at run time.
struct FluidSynthLibrary: Sendable {
  typealias Handle = OpaquePointer
  typealias Samples = UnsafeMutableRawPointer
  let newSettings: @convention(c) @Sendable () -> Handle?
  let newSynth: @convention(c) @Sendable (Handle) -> Handle?
  let deleteSettings, deleteSynth: @convention(c) @Sendable (Handle?) -> Void
  let setNumber: @convention(c) @Sendable (Handle?, UnsafePointer<CChar>, Double) -> CInt
  let setInteger, load: @convention(c) @Sendable (Handle?, UnsafePointer<CChar>, CInt) -> CInt
  let select: @convention(c) @Sendable (Handle, CInt, CInt, CInt, CInt) -> CInt
  let noteOn, control: @convention(c) @Sendable (Handle, CInt, CInt, CInt) -> CInt
  let noteOff: @convention(c) @Sendable (Handle, CInt, CInt) -> CInt
  let write: @convention(c) @Sendable (Handle, CInt, Samples, CInt, CInt, Samples, CInt, CInt) -> CInt

  static let names = [
    "libfluidsynth.so.3", "libfluidsynth.so.2", "libfluidsynth.so", "libfluidsynth.3.dylib",
    "libfluidsynth.dylib", "/opt/homebrew/lib/libfluidsynth.dylib", "/usr/local/lib/libfluidsynth.dylib",
  ]

  /// - Throws: `CorpusError.synthesis`.
  init(names: [String] = Self.names) throws {
    guard let library = names.lazy.compactMap({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }).first else {
      throw CorpusError.synthesis(
        "FluidSynth is not installed (tried \(names.joined(separator: ", "))). Install it: "
          + "apt-get install libfluidsynth3 (macOS: brew install fluid-synth)")
    }
    // Each type is that of the function's declaration in fluidsynth.h.
    func symbol<T>(_ name: String) throws -> T {
      guard let address = dlsym(library, name) else {
        throw CorpusError.synthesis("FluidSynth failed: the library has no \(name)")
      }
      return unsafeBitCast(address, to: T.self)
    }
    newSettings = try symbol("new_fluid_settings")
    newSynth = try symbol("new_fluid_synth")
    deleteSettings = try symbol("delete_fluid_settings")
    deleteSynth = try symbol("delete_fluid_synth")
    setNumber = try symbol("fluid_settings_setnum")
    setInteger = try symbol("fluid_settings_setint")
    load = try symbol("fluid_synth_sfload")
    select = try symbol("fluid_synth_program_select")
    noteOn = try symbol("fluid_synth_noteon")
    noteOff = try symbol("fluid_synth_noteoff")
    control = try symbol("fluid_synth_cc")
    write = try symbol("fluid_synth_write_float")
    // Errors reach the user as Swift errors; the library need not print its own.
    let setLog: @convention(c) (CInt, Handle?, Handle?) -> Handle? = try symbol("fluid_set_log_function")
    for level in 0...4 { _ = setLog(CInt(level), nil, nil) }
  }
}
