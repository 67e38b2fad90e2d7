/// A manner of writing that one piece keeps from beginning to end.
struct Manner: Sendable {
  let name: String
  let textures: [Instrument.Texture]
  /// Beats per minute.
  let tempo: ClosedRange<Double>
  /// Busyness of the melody; nil where the figures are the music.
  let melody: Density?
  let modes: [Mode]
  /// Said of the piece in captions.
  let manner: String
  let spacing: Accompanist.Spacing
  let pedal: Bool
  /// Share of the tempo that phrases may bend, share of its slot that a melody note sounds, and where an
  /// off-beat quaver falls within its beat, 0.5 = straight.
  let rubato, gate, swing: Double
  /// Bars of accompaniment, each cut into as many equal slots as it has characters: a digit sounds that tone
  /// of the voicing (0 the lowest), `B` the bass, `C` the chord above it, `F` both, `a` a step that leads to
  /// the next chord; `.` holds what sounds, `-` is a rest.
  private(set) var figures: [Meter: [Substring]] = [:]

  private init(_ row: Substring) {
    let columns = row.split(separator: "|", omittingEmptySubsequences: false)
    let words = columns.map { $0.split(separator: " ") }
    (name, manner) = (words[0].joined(separator: " "), words[5].joined(separator: " "))
    textures = words[1].compactMap { Instrument.Texture(rawValue: String($0)) }
    tempo = (Double(words[2][0]) ?? 0)...(Double(words[2][1]) ?? 0)
    melody = Density(rawValue: String(words[3][0]))
    modes = words[4].compactMap { Mode(rawValue: String($0)) }
    func trait(_ name: Substring) -> Double? {
      words[6].firstIndex(of: name).flatMap { Double(words[6][$0 + 1]) }
    }
    (rubato, gate, swing) = (trait("rubato") ?? 0.03, trait("gate") ?? 0.95, trait("swing") ?? 0.5)
    spacing = words[6].contains("wide") ? .wide : words[6].contains("root") ? .root : .close
    pedal = words[6].contains("pedal")
    var meter = Meter.fourFour
    for word in words[7] {
      if let next = Meter(rawValue: String(word)) { meter = next } else { figures[meter]?.append(word) }
      figures[meter] = figures[meter] ?? []
    }
  }

  /// Name, textures, tempo, melody, modes, manner, traits, and figures by meter.
  static let all: [Manner] = """
    ballad|keyboard plucked|62 84|moderate|major minor minor|broken chords under a singing melody|\
      wide pedal rubato 0.05|4/4 01232123 01231323 0.123.2. 01213121 0.1.2.1. 6/8 012321 012323 01.321
    nocturne|keyboard|56 72|calm|major minor|wide left-hand arpeggios under an expressive melody|\
      wide pedal rubato 0.09|4/4 012345432123 012343212343 012323012323 6/8 012343 012345 01232.2.123.
    sonatina|keyboard|96 126|moderate|major major major minor|a bright melody over an Alberti bass|\
      gate 0.85|4/4 02120212 01210121 0.2.1.2. 02120.2. 3/4 021212 012121
    waltz|keyboard plucked organ mallet|108 152|moderate|major minor|\
      a lilting melody over bass notes and off-beat chords|pedal rubato 0.05 gate 0.92|\
      3/4 B.C.C. B.C.C- B.C... B.1.2.
    prelude|keyboard plucked mallet|62 84|none|major minor dorian|\
      flowing arpeggios that carry the harmony|pedal rubato 0.05|\
      4/4 0123423401234234 0213243202132432 0123432101234321 0232123202321232 6/8 012343212343 023432 012343
    hymn|keyboard organ ensemble|68 92|calm|major major minor mixolydian|\
      full chords that move with a plain melody|pedal rubato 0.04 gate 0.98|\
      4/4 F...F... F....... F...C.C. F.C.F.C. 3/4 F..... F...C.
    ragtime|keyboard|84 104|syncopated|major|a syncopated melody over a striding left hand|\
      rubato 0 gate 0.8|4/4 B.C.B.C. B.C.B.C. B.C.B.BC
    minimal piece|keyboard plucked mallet|100 128|calm|major dorian minor mixolydian|\
      a gently shifting ostinato with a sparse melody|pedal rubato 0|\
      4/4 02102102 01201201 01210121 02120212 6/8 021021 012012 010212
    lullaby|keyboard plucked mallet organ|42 56|calm|major major dorian|\
      a rocking accompaniment under a simple tune|pedal gate 0.97|6/8 012121 0.1.2. 012321
    march|keyboard organ|96 116|moderate|major major minor|a firm melody over steady chords|\
      rubato 0 gate 0.75|4/4 B.C.B.C. B-C-B-C- F.C.B.C.
    folk song|plucked|80 112|moderate|major minor dorian mixolydian|\
      a fingerpicked pattern under a folk-like tune||4/4 B213B213 B.12B.12 B121B121 3/4 B.1212 B12121
    strummed song|plucked organ|84 112|calm|major minor mixolydian|strummed chords under an easy melody||\
      4/4 F...C.C. F.C.C.C. F..C..C. 3/4 F.C.C. F...C.
    adagio|ensemble organ|58 74|calm|major minor dorian|slow sustained chords under a broad melody|\
      rubato 0.05 gate 1|4/4 F....... F...C... 3/4 F..... F...C.
    chamber song|ensemble|76 100|moderate|major minor|gently repeated chords under a flowing melody|\
      gate 0.97|4/4 F...C... F.C.C.C. B.C.C.C. 3/4 B.C.C.
    air|solo pluckedSolo|66 88|moderate|major minor dorian|a long lyrical line in breathing phrases|\
      rubato 0.07 gate 0.99|4/4 3/4
    song|solo pluckedSolo bass|84 112|moderate|major minor mixolydian|a simple tune in balanced phrases|\
      gate 0.92|4/4 3/4 6/8
    dance|solo pluckedSolo|84 108|lively|major dorian mixolydian minor|a lively, lightly tongued tune|\
      rubato 0 gate 0.82|4/4 6/8
    fanfare|solo|96 116|leaping|major|proud leaps through the chords|rubato 0 gate 0.78|4/4
    etude|solo pluckedSolo|84 112|none|major minor|continuous arpeggio figures|gate 0.9|\
      4/4 01232123 02132432 0.123212 01234321 6/8 012321 012343 021323
    groove|bass|84 112|none|minor dorian mixolydian major|\
      a steady bass groove on roots, fifths and octaves|root rubato 0 gate 0.85|\
      4/4 0..00.2. 0.0.2.0a 0..3..2a 00.02.3. 0.2.3.2a
    walking line|bass|104 144|none|major minor dorian|a walking line of even notes|\
      root rubato 0 gate 0.92 swing 0.6|4/4 012a 021a 032a 01.a2.1a 3/4 02a 01a
    """.split(separator: "\n").map { Manner($0) }

  static func suited(to instrument: Instrument) -> [Manner] {
    all.filter { $0.textures.contains(instrument.texture) }.filter { style in
      switch style.name {
      // Harps, harpsichords and electric pianos do not stride.
      case "ragtime", "march": instrument.texture == .organ || instrument.program <= 3
      case "fanfare": instrument.family == "brass"
      // Muted strings and wooden bars are too short for slow songs.
      case "lullaby", "ballad": !instrument.isDry
      default: true
      }
    }
  }
}

/// How busy a melody is, or in which way.
enum Density: String, Sendable {
  /// The last two: against the beat, and from chord tone to chord tone, like a bugle.
  case calm, moderate, lively, syncopated, leaping

  /// One of those that go with it in a contrasting section.
  func contrast(using random: inout SeededGenerator) -> Density {
    switch self {
    case .moderate: random.pick([.calm, .lively])
    case .calm, .lively: .moderate
    case .syncopated, .leaping: self
    }
  }

  /// Note lengths of one bar, in ticks.
  func rhythm(_ meter: Meter, using random: inout SeededGenerator) -> [Int] {
    // Cells of semiquavers, each half a bar (a whole one in 3/4).
    let text =
      switch (meter, self) {
      case (.fourFour, .calm): "8 44 62 44 422"
      case (.fourFour, .moderate), (.fourFour, .leaping): "44 62 422 224 2222 242"
      case (.fourFour, .lively): "2222 422 224 21122 22211 3122 11222 2114"
      case (.fourFour, .syncopated): "12122 242 1214 22121 121121 2222 422"
      case (.threeFour, .calm): "84 48 624 444 822"
      case (.threeFour, .lively): "222222 42222 22422 3144 4224 21144"
      case (.threeFour, _): "444 624 4224 2244 822 4422"
      case (.sixEight, .calm): "6 42 42 222"
      case (.sixEight, .lively): "222 222 42 312 2211 411"
      case (.sixEight, _): "42 42 222 24 6"
      }
    let cells = text.split(separator: " ").map { $0.compactMap(\.wholeNumberValue) }
    var result = random.pick(cells)
    // The second half often repeats the first: what makes a rhythm a motif.
    if meter != .threeFour { result += random.chance(0.4) ? result : random.pick(cells) }
    return result.map { $0 * Tick.sixteenth }
  }
}
