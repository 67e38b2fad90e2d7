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
  let newSettings: @convention(c) @Sendable () -> Handle?
  let deleteSettings: @convention(c) @Sendable (Handle) -> Void
  let setNumber: @convention(c) @Sendable (Handle, UnsafePointer<CChar>, Double) -> CInt
  let setInteger: @convention(c) @Sendable (Handle, UnsafePointer<CChar>, CInt) -> CInt
  let newSynth: @convention(c) @Sendable (Handle) -> Handle?
  let deleteSynth: @convention(c) @Sendable (Handle) -> Void
  let load: @convention(c) @Sendable (Handle, UnsafePointer<CChar>, CInt) -> CInt
  let select: @convention(c) @Sendable (Handle, CInt, CInt, CInt, CInt) -> CInt
  let noteOn: @convention(c) @Sendable (Handle, CInt, CInt, CInt) -> CInt
  let noteOff: @convention(c) @Sendable (Handle, CInt, CInt) -> CInt
  let control: @convention(c) @Sendable (Handle, CInt, CInt, CInt) -> CInt
  let write:
    @convention(c) @Sendable (
      Handle, CInt, UnsafeMutableRawPointer, CInt, CInt, UnsafeMutableRawPointer, CInt, CInt
    ) -> CInt

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
    // Each type is that of the function's declaration in fluidsynth.h.
    func symbol<T>(_ name: String) throws -> T {
      guard let address = dlsym(handle, name) else {
        throw CorpusError.synthesiserFailed("the library has no \(name)")
      }
      return unsafeBitCast(address, to: T.self)
    }
    newSettings = try symbol("new_fluid_settings")
    deleteSettings = try symbol("delete_fluid_settings")
    setNumber = try symbol("fluid_settings_setnum")
    setInteger = try symbol("fluid_settings_setint")
    newSynth = try symbol("new_fluid_synth")
    deleteSynth = try symbol("delete_fluid_synth")
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

  /// One synthesiser with one font and one instrument, for one thread.
  struct Synthesiser: ~Copyable {
    let library: FluidSynthLibrary
    private let settings: Handle
    private let synth: Handle

    init(_ library: FluidSynthLibrary, soundFont: String, program: Int, sampleRate: Int, reverb: Double)
      throws
    {
      let made: (Handle, Handle) = try FluidSynthLibrary.setUp.withLock { _ in
        guard let settings = library.newSettings() else { throw CorpusError.synthesiserFailed("no settings") }
        for (name, value) in [
          ("sample-rate", Double(sampleRate)), ("gain", 0.4), ("reverb.room-size", 0.5), ("reverb.damp", 0.3),
          ("reverb.width", 0.8), ("reverb.level", reverb),
        ] { _ = library.setNumber(settings, "synth.\(name)", value) }
        for (name, value) in [
          ("dynamic-sample-loading", 1), ("polyphony", 256), ("cpu-cores", 1), ("chorus.active", 0),
          ("reverb.active", reverb > 0 ? 1 : 0),
        ] { _ = library.setInteger(settings, "synth.\(name)", CInt(value)) }
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
