import Foundation

/// What to render.
public struct CorpusOptions: Sendable {
  /// Hours of audio, at least; the last piece is not cut.
  public var hours: Double
  public var seed: UInt64 = 1
  /// Names, families or General MIDI programs; empty = every instrument of the catalogue.
  public var instruments: [String] = []
  /// Length of pieces, within 1...10.
  public var minimumMinutes = 1.0
  public var maximumMinutes = 10.0
  public var output: URL
  /// A General MIDI sound font; nil = `LEGATO_SOUNDFONT`, or where distributions put FluidR3.
  public var soundFont: URL?
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
    func check(_ good: Bool, _ message: String) throws {
      if !good { throw CorpusError.invalidOption(message) }
    }
    try check(
      hours.isFinite && hours > 0 && hours <= 100_000,
      "hours must be above 0 and at most 100000, not \(hours)")
    try check(
      minimumMinutes >= 1 && maximumMinutes <= 10 && minimumMinutes <= maximumMinutes,
      "pieces last from 1 to 10 minutes; \(minimumMinutes) to \(maximumMinutes) does not fit")
    try check(
      (8_000...96_000).contains(sampleRate),
      "the sample rate must be from 8000 to 96000 Hz, not \(sampleRate)")
    try check((1...256).contains(threads), "threads must be from 1 to 256, not \(threads)")
    try check((0...1).contains(reverb), "reverb must be from 0 to 1, not \(reverb)")
  }

  /// The first sound font there is.
  func findSoundFont() throws -> URL {
    var candidates: [String] = []
    if let soundFont {
      candidates = [soundFont.path]
    } else if let named = ProcessInfo.processInfo.environment["LEGATO_SOUNDFONT"], !named.isEmpty {
      candidates = [named]
    } else {
      for folder in ["/usr/share/sounds/sf2", "/usr/share/soundfonts", "/opt/homebrew/share/soundfonts"] {
        candidates += ["FluidR3_GM.sf2", "default.sf2", "default-GM.sf2"].map { "\(folder)/\($0)" }
      }
    }
    guard let path = candidates.first(where: { FileManager.default.isReadableFile(atPath: $0) }) else {
      throw CorpusError.missingSoundFont(tried: candidates)
    }
    // FluidSynth's loaders print what they think of other files.
    let file = try? FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    let header = (try? file?.read(upToCount: 12)) ?? Data()
    guard header.starts(with: Data("RIFF".utf8)), header.suffix(4) == Data("sfbk".utf8) else {
      throw CorpusError.unreadableSoundFont(path)
    }
    return URL(fileURLWithPath: path).resolvingSymlinksInPath()
  }
}

/// What a piece will be, before it is composed.
struct PiecePlan: Sendable, Equatable {
  var index: Int
  var id: String
  var seed: UInt64
  var split: CorpusSplit
  var instrument: Instrument
  var seconds: Double

  var path: String { "audio/\(id).wav" }

  /// The pieces of a corpus. More hours only add pieces at the end.
  static func pieces(_ options: CorpusOptions) throws -> [PiecePlan] {
    let instruments = try Instrument.select(options.instruments)
    let heldOut = heldOut(instruments, seed: options.seed)
    let range = options.secondsRange
    // Room for the sound to die away within the limit.
    let upper = max(range.lowerBound, range.upperBound - 2.5)
    var pieces: [PiecePlan] = []
    var turn: [Instrument] = []
    var total = 0.0
    var round = 0
    while total < options.hours * 3600 {
      let index = pieces.count
      if turn.isEmpty {
        // Every instrument has its turn before any comes again.
        var random = SeededGenerator(seed: options.seed, path: 8, round)
        turn = random.shuffled(instruments)
        round += 1
      }
      let instrument = turn.removeLast()
      var random = SeededGenerator(seed: options.seed, path: 9, index)
      let seed = random.next() >> 11
      // More short pieces than long ones.
      let x = random.unit()
      let seconds = min(upper, range.lowerBound + (upper - range.lowerBound) * x * (0.4 + 0.6 * x) + 1)
      let split: CorpusSplit =
        heldOut.contains(instrument)
        ? .heldOutInstruments : index % 20 == 4 ? .validation : index % 20 == 14 ? .test : .train
      let digits = String(index)
      let number = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
      pieces.append(
        PiecePlan(
          index: index, id: "piece-\(number)", seed: seed, split: split, instrument: instrument,
          seconds: seconds))
      total += seconds
    }
    return pieces
  }

  /// One instrument in sixteen, from as many families, where there are enough to spare.
  static func heldOut(_ instruments: [Instrument], seed: UInt64) -> Set<Instrument> {
    guard instruments.count >= 8 else { return [] }
    var random = SeededGenerator(seed: seed, path: 10)
    var families: Set<String> = []
    var result: Set<Instrument> = []
    for instrument in random.shuffled(instruments) where result.count < max(1, instruments.count / 16) {
      // A family of one would vanish from training.
      let isAlone = instruments.filter { $0.family == instrument.family }.count < 2
      if !isAlone && families.insert(instrument.family).inserted { result.insert(instrument) }
    }
    return result
  }
}
