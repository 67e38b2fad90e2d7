import Foundation

/// What to render.
public struct CorpusOptions: Sendable {
  /// Hours of audio, at least; the last piece is not cut.
  public var hours: Double
  public var seed: UInt64 = 1
  /// Names, families or General MIDI programs; empty = every instrument of the catalogue.
  public var instruments: [String] = []
  /// Length of pieces, within 1...10.
  public var minimumMinutes = 1.0, maximumMinutes = 10.0
  public var output: URL
  /// A General MIDI sound font; nil = `LEGATO_SOUNDFONT`, or where distributions put FluidR3.
  public var soundFont: URL?
  /// Hz.
  public var sampleRate = 48_000
  /// Pieces rendered at once; the files do not depend on it.
  public var threads = 2
  /// 0 = dry, 1 = very wet.
  public var reverb = 0.25
  /// Tests render seconds instead of minutes.
  var pieceSeconds: ClosedRange<Double>?

  public init(hours: Double, output: URL) {
    self.hours = hours
    self.output = output
  }

  var secondsRange: ClosedRange<Double> { pieceSeconds ?? minimumMinutes * 60...maximumMinutes * 60 }

  /// - Throws: `CorpusError.invalidOption`, which says what makes sense.
  func validate() throws {
    let minutesFit = minimumMinutes >= 1 && maximumMinutes <= 10 && minimumMinutes <= maximumMinutes
    let sampleRateFits = (8_000...96_000).contains(sampleRate)
    let rules = [
      (hours > 0 && hours <= 100_000, "hours must be above 0 and at most 100000, not \(hours)"),
      (minutesFit, "pieces last from 1 to 10 minutes; \(minimumMinutes) to \(maximumMinutes) does not fit"),
      (sampleRateFits, "the sample rate must be from 8000 to 96000 Hz, not \(sampleRate)"),
      ((1...256).contains(threads), "threads must be from 1 to 256, not \(threads)"),
      ((0...1).contains(reverb), "reverb must be from 0 to 1, not \(reverb)"),
    ]
    for (isKept, message) in rules where !isKept { throw CorpusError.invalidOption(message) }
  }

  /// The first sound font there is.
  /// - Throws: `CorpusError.synthesis`.
  func findSoundFont() throws -> URL {
    let folders = ["/usr/share/sounds/sf2", "/usr/share/soundfonts", "/opt/homebrew/share/soundfonts"]
    let names = ["FluidR3_GM.sf2", "default.sf2", "default-GM.sf2"]
    var candidates = folders.flatMap { folder in names.map { "\(folder)/\($0)" } }
    if let soundFont {
      candidates = [soundFont.path]
    } else if let named = ProcessInfo.processInfo.environment["LEGATO_SOUNDFONT"], !named.isEmpty {
      candidates = [named]
    }
    guard let path = candidates.first(where: FileManager.default.isReadableFile) else {
      throw CorpusError.synthesis(
        "no General MIDI sound font found (looked at \(candidates.joined(separator: ", "))). Install one: "
          + "apt-get install fluid-soundfont-gm, or name a file with --sound-font or LEGATO_SOUNDFONT")
    }
    let font = URL(fileURLWithPath: path)
    // FluidSynth's loaders print what they think of other files.
    let header = (try? FileHandle(forReadingFrom: font).read(upToCount: 12)) ?? Data()
    guard header.starts(with: Data("RIFF".utf8)), header.suffix(4) == Data("sfbk".utf8) else {
      throw CorpusError.unreadable(soundFont: path)
    }
    return font.resolvingSymlinksInPath()
  }
}
