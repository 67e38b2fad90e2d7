import Synchronization

/// One FluidSynth with one font and one instrument, for one thread.
final class Synthesiser {
  private let library: FluidSynthLibrary
  private let settings: OpaquePointer?
  private let synth: OpaquePointer

  /// The first synthesiser sets up tables that all share, and a font's samples live in one cache.
  private static let setUp = Mutex(())

  /// - Throws: `CorpusError.synthesis`.
  init(_ library: FluidSynthLibrary, _ soundFont: String, program: Int, sampleRate: Int, reverb: Double)
    throws
  {
    self.library = library
    (settings, synth) = try Self.setUp.withLock { _ in
      let settings = library.newSettings()
      for (name, value) in [
        ("sample-rate", Double(sampleRate)), ("gain", 0.4), ("reverb.room-size", 0.5), ("reverb.damp", 0.3),
        ("reverb.width", 0.8), ("reverb.level", reverb),
      ] { _ = library.setNumber(settings, "synth.\(name)", value) }
      for (name, value) in [
        ("dynamic-sample-loading", 1), ("polyphony", 256), ("cpu-cores", 1), ("chorus.active", 0),
        ("reverb.active", reverb > 0 ? 1 : 0),
      ] { _ = library.setInteger(settings, "synth.\(name)", CInt(value)) }
      guard let synth = settings.flatMap({ library.newSynth($0) }) else {
        library.deleteSettings(settings)
        throw CorpusError.synthesis("FluidSynth failed: no synthesiser at \(sampleRate) Hz")
      }
      return (settings, synth)
    }
    // From here on `deinit` cleans up, whatever is thrown.
    try Self.setUp.withLock { _ in
      let font = library.load(synth, soundFont, 1)
      guard font >= 0 else { throw CorpusError.unreadable(soundFont: soundFont) }
      guard library.select(synth, 0, font, 0, CInt(program)) == 0 else {
        throw CorpusError.synthesis(
          "\(soundFont) has no instrument for General MIDI program \(program). "
            + "Leave that instrument out, or use FluidR3: apt-get install fluid-soundfont-gm")
      }
    }
  }

  deinit {
    Self.setUp.withLock { _ in
      library.deleteSynth(synth)
      library.deleteSettings(settings)
    }
  }

  func play(_ action: Score.Event.Action) {
    switch action {
    case .noteOn(let key, let velocity): _ = library.noteOn(synth, 0, CInt(key), CInt(velocity))
    case .noteOff(let key): _ = library.noteOff(synth, 0, CInt(key))
    case .control(let controller, let value): _ = library.control(synth, 0, CInt(controller), CInt(value))
    }
  }

  /// Writes `frames` stereo samples from `offset` on.
  func render(_ frames: Int, at offset: Int, left: inout [Float], right: inout [Float]) throws {
    precondition(offset >= 0 && offset + frames <= min(left.count, right.count))
    guard library.write(synth, CInt(frames), &left, CInt(offset), 1, &right, CInt(offset), 1) == 0 else {
      throw CorpusError.synthesis("FluidSynth failed: rendering stopped at sample \(offset)")
    }
  }
}
