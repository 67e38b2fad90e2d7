/// What can go wrong while rendering a corpus; the description says what, where, and what to do.
public enum CorpusError: Error, Equatable, CustomStringConvertible {
  /// An option that is out of its range; a name that no instrument has.
  case invalidOption(String)
  case unknownInstrument(String)
  /// FluidSynth or its sound font is missing, or fails.
  case synthesis(String)
  /// A folder that cannot be written, or that holds something else than the start of this corpus.
  case folder(String)
  case cancelled

  public var description: String {
    switch self {
    case .invalidOption(let message), .unknownInstrument(let message): message
    case .synthesis(let message), .folder(let message): message
    case .cancelled: "cancelled; what is finished is kept, and the same command continues"
    }
  }

  static func unreadable(soundFont path: String) -> CorpusError {
    .synthesis(
      "\(path) cannot be loaded as a sound font (.sf2). Install one: apt-get install fluid-soundfont-gm")
  }
}
