/// What can go wrong while rendering a corpus; the description says what to do.
public enum CorpusError: Error, Equatable, CustomStringConvertible {
  case missingFluidSynth(tried: [String])
  case missingSoundFont(tried: [String])
  case unreadableSoundFont(String)
  case missingPreset(program: Int, soundFont: String)
  case synthesiserFailed(String)
  case unknownInstrument(String, nearest: [String])
  case invalidOption(String)
  case unwritableFolder(String, reason: String)
  case unwritableFile(String, reason: String)
  case otherCorpus(folder: String, difference: String)
  case damagedManifest(String, line: Int)
  case cancelled

  public var description: String {
    switch self {
    case .missingFluidSynth(let tried):
      "FluidSynth is not installed (tried \(tried.joined(separator: ", "))). Install it: "
        + "apt-get install libfluidsynth3 (macOS: brew install fluid-synth)"
    case .missingSoundFont(let tried):
      "no General MIDI sound font found (looked at \(tried.joined(separator: ", "))). Install one: "
        + "apt-get install fluid-soundfont-gm, or name a file with --sound-font or LEGATO_SOUNDFONT"
    case .unreadableSoundFont(let path):
      "\(path) cannot be loaded as a sound font (.sf2). Install one: apt-get install fluid-soundfont-gm"
    case .missingPreset(let program, let soundFont):
      "\(soundFont) has no instrument for General MIDI program \(program). "
        + "Leave that instrument out, or use FluidR3: apt-get install fluid-soundfont-gm"
    case .synthesiserFailed(let what): "FluidSynth failed: \(what)"
    case .unknownInstrument(let name, let nearest):
      "unknown instrument \"\(name)\". Nearest: \(nearest.joined(separator: ", ")). "
        + "Names, families (piano, strings, …) and General MIDI programs (0...127) are understood"
    case .invalidOption(let what): what
    case .unwritableFolder(let path, let reason):
      "cannot write to the folder \(path): \(reason). Choose another folder or change its permissions"
    case .unwritableFile(let path, let reason): "cannot write \(path): \(reason)"
    case .otherCorpus(let folder, let difference):
      "\(folder) holds a corpus made with other options (\(difference)). "
        + "Use the same options to continue it, or choose another folder"
    case .damagedManifest(let path, let line):
      "\(path), line \(line) is not a row of a corpus. Move the file away to render the corpus anew"
    case .cancelled: "cancelled; what is finished is kept, and the same command continues"
    }
  }
}
