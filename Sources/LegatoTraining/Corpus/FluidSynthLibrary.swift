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
  typealias Create = @convention(c) @Sendable () -> OpaquePointer?
  typealias CreateSynth = @convention(c) @Sendable (OpaquePointer) -> OpaquePointer?
  typealias Delete = @convention(c) @Sendable (OpaquePointer) -> Void
  typealias SetNumber = @convention(c) @Sendable (OpaquePointer, UnsafePointer<CChar>, Double) -> CInt
  typealias SetInteger = @convention(c) @Sendable (OpaquePointer, UnsafePointer<CChar>, CInt) -> CInt
  typealias Load = @convention(c) @Sendable (OpaquePointer, UnsafePointer<CChar>, CInt) -> CInt
  typealias Select = @convention(c) @Sendable (OpaquePointer, CInt, CInt, CInt, CInt) -> CInt
  typealias Message2 = @convention(c) @Sendable (OpaquePointer, CInt, CInt) -> CInt
  typealias Message3 = @convention(c) @Sendable (OpaquePointer, CInt, CInt, CInt) -> CInt
  typealias Write =
    @convention(c) @Sendable (
      OpaquePointer, CInt, UnsafeMutableRawPointer, CInt, CInt, UnsafeMutableRawPointer, CInt, CInt
    ) -> CInt
  typealias SetLog = @convention(c) @Sendable (CInt, OpaquePointer?, OpaquePointer?) -> OpaquePointer?

  let newSettings: Create
  let deleteSettings: Delete
  let setNumber: SetNumber
  let setInteger: SetInteger
  let newSynth: CreateSynth
  let deleteSynth: Delete
  let load: Load
  let select: Select
  let noteOn: Message3
  let noteOff: Message2
  let control: Message3
  let write: Write

  static let names = [
    "libfluidsynth.so.3", "libfluidsynth.so.2", "libfluidsynth.so", "libfluidsynth.3.dylib",
    "libfluidsynth.dylib",
    "/opt/homebrew/lib/libfluidsynth.dylib", "/usr/local/lib/libfluidsynth.dylib",
  ]

  /// Its first synthesiser sets up tables that all share, and a font's samples live in one cache.
  private static let setUp = Mutex(())

  /// - Throws: `CorpusError.missingFluidSynth`.
  init(names: [String] = Self.names) throws {
    guard let handle = names.lazy.compactMap({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }).first else {
      throw CorpusError.missingFluidSynth(tried: names)
    }
    func symbol<T>(_ name: String, as type: T.Type) throws -> T {
      guard let address = dlsym(handle, name.contains("fluid_") ? name : "fluid_" + name) else {
        throw CorpusError.synthesiserFailed("the library has no \(name)")
      }
      return unsafeBitCast(address, to: type)
    }
    newSettings = try symbol("new_fluid_settings", as: Create.self)
    deleteSettings = try symbol("delete_fluid_settings", as: Delete.self)
    setNumber = try symbol("settings_setnum", as: SetNumber.self)
    setInteger = try symbol("settings_setint", as: SetInteger.self)
    newSynth = try symbol("new_fluid_synth", as: CreateSynth.self)
    deleteSynth = try symbol("delete_fluid_synth", as: Delete.self)
    load = try symbol("synth_sfload", as: Load.self)
    select = try symbol("synth_program_select", as: Select.self)
    noteOn = try symbol("synth_noteon", as: Message3.self)
    noteOff = try symbol("synth_noteoff", as: Message2.self)
    control = try symbol("synth_cc", as: Message3.self)
    write = try symbol("synth_write_float", as: Write.self)
    // Errors reach the user as Swift errors; the library need not print its own.
    let setLog = try symbol("set_log_function", as: SetLog.self)
    for level in 0...4 { _ = setLog(CInt(level), nil, nil) }
  }

  /// One synthesiser with one font and one instrument, for one thread.
  struct Synthesiser: ~Copyable {
    let library: FluidSynthLibrary
    private let settings: OpaquePointer
    private let synth: OpaquePointer

    init(_ library: FluidSynthLibrary, soundFont: String, program: Int, sampleRate: Int, reverb: Double)
      throws
    {
      let made: (OpaquePointer, OpaquePointer) = try FluidSynthLibrary.setUp.withLock { _ in
        guard let settings = library.newSettings() else { throw CorpusError.synthesiserFailed("no settings") }
        _ = library.setNumber(settings, "synth.sample-rate", Double(sampleRate))
        _ = library.setNumber(settings, "synth.gain", 0.4)
        _ = library.setInteger(settings, "synth.dynamic-sample-loading", 1)
        _ = library.setInteger(settings, "synth.polyphony", 256)
        _ = library.setInteger(settings, "synth.cpu-cores", 1)
        _ = library.setInteger(settings, "synth.chorus.active", 0)
        _ = library.setInteger(settings, "synth.reverb.active", reverb > 0 ? 1 : 0)
        _ = library.setNumber(settings, "synth.reverb.room-size", 0.5)
        _ = library.setNumber(settings, "synth.reverb.damp", 0.3)
        _ = library.setNumber(settings, "synth.reverb.width", 0.8)
        _ = library.setNumber(settings, "synth.reverb.level", reverb)
        guard let synth = library.newSynth(settings) else {
          library.deleteSettings(settings)
          throw CorpusError.synthesiserFailed("no synthesiser at \(sampleRate) Hz")
        }
        let font = library.load(synth, soundFont, 1)
        guard font >= 0, library.select(synth, 0, font, 0, CInt(program)) == 0 else {
          library.deleteSynth(synth)
          library.deleteSettings(settings)
          throw font < 0
            ? CorpusError.unreadableSoundFont(soundFont)
            : CorpusError.missingPreset(program: program, soundFont: soundFont)
        }
        return (settings, synth)
      }
      self.library = library
      (settings, synth) = made
    }

    deinit {
      let (library, settings, synth) = (library, settings, synth)
      FluidSynthLibrary.setUp.withLock { _ in
        library.deleteSynth(synth)
        library.deleteSettings(settings)
      }
    }

    func play(_ action: Score.Action) {
      switch action {
      case .noteOn(let key, let velocity): _ = library.noteOn(synth, 0, CInt(key), CInt(velocity))
      case .noteOff(let key): _ = library.noteOff(synth, 0, CInt(key))
      case .control(let controller, let value): _ = library.control(synth, 0, CInt(controller), CInt(value))
      }
    }

    /// Writes `frames` stereo samples from `offset` on.
    func render(
      _ frames: Int, at offset: Int, left: UnsafeMutableBufferPointer<Float>,
      right: UnsafeMutableBufferPointer<Float>
    ) throws {
      precondition(offset >= 0 && offset + frames <= min(left.count, right.count))
      guard frames > 0, let l = left.baseAddress, let r = right.baseAddress else { return }
      guard library.write(synth, CInt(frames), l, CInt(offset), 1, r, CInt(offset), 1) == 0 else {
        throw CorpusError.synthesiserFailed("rendering stopped at sample \(offset)")
      }
    }
  }
}
