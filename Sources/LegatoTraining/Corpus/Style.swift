/// A manner of writing that one piece keeps from beginning to end.
///
/// A figure is one bar of accompaniment, cut into as many equal slots as it has characters: a digit sounds
/// that tone of the voicing (0 the lowest), `B` the bass, `C` the chord above it, `F` both, `a` a step that
/// leads into the next chord; `.` holds what sounds, `-` is a rest.
struct Style: Sendable {
  let name: String
  let textures: Set<Instrument.Texture>
  /// Beats per minute.
  let tempo: ClosedRange<Double>
  /// Said of the piece in captions.
  let manner: String
  let figures: [Meter: [String]]
  /// Busyness of the melody; nil where the figures are the music.
  let melody: Density?
  let modes: [Mode]
  let spacing: Accompanist.Spacing
  /// Share of the tempo that phrases may bend.
  let rubato: Double
  /// Share of its slot that a melody note sounds.
  let gate: Double
  /// Where an off-beat quaver falls within its beat, 0.5 = straight.
  let swing: Double
  let pedal: Bool

  init(
    _ name: String, _ textures: Set<Instrument.Texture>, _ tempo: ClosedRange<Double>, _ manner: String,
    _ figures: [Meter: String], _ melody: Density?, _ modes: [Mode], spacing: Accompanist.Spacing = .close,
    rubato: Double = 0.03, gate: Double = 0.95, swing: Double = 0.5, pedal: Bool = false
  ) {
    self.name = name
    self.textures = textures
    self.tempo = tempo
    self.manner = manner
    self.figures = figures.mapValues { $0.split(separator: " ").map(String.init) }
    self.melody = melody
    self.modes = modes
    self.spacing = spacing
    self.rubato = rubato
    self.gate = gate
    self.swing = swing
    self.pedal = pedal
  }

  static let all: [Style] = [
    Style(
      "ballad", [.keyboard, .plucked], 62...84, "broken chords under a singing melody",
      [
        .fourFour: "01232123 01231323 0.123.2. 01213121 0.1.2.1.", .sixEight: "012321 012323 01.321",
      ], .moderate, [.major, .minor, .minor], spacing: .wide, rubato: 0.05, pedal: true),
    Style(
      "nocturne", [.keyboard], 56...72, "wide left-hand arpeggios under an expressive melody",
      [
        .fourFour: "012345432123 012343212343 012323012323", .sixEight: "012343 012345 01232.2.123.",
      ], .calm, [.major, .minor], spacing: .wide, rubato: 0.09, pedal: true),
    Style(
      "sonatina", [.keyboard], 96...126, "a bright melody over an Alberti bass",
      [.fourFour: "02120212 01210121 0.2.1.2. 02120.2.", .threeFour: "021212 012121"],
      .moderate, [.major, .major, .major, .minor], gate: 0.85),
    Style(
      "waltz", [.keyboard, .plucked, .organ, .mallet], 108...152,
      "a lilting melody over bass notes and off-beat chords", [.threeFour: "B.C.C. B.C.C- B.C... B.1.2."],
      .moderate, [.major, .minor], rubato: 0.05, gate: 0.92, pedal: true),
    Style(
      "prelude", [.keyboard, .plucked, .mallet], 62...84, "flowing arpeggios that carry the harmony",
      [
        .fourFour: "0123423401234234 0213243202132432 0123432101234321 0232123202321232",
        .sixEight: "012343212343 023432 012343",
      ], nil, [.major, .minor, .dorian], rubato: 0.05, pedal: true),
    Style(
      "hymn", [.keyboard, .organ, .ensemble], 68...92, "full chords that move with a plain melody",
      [.fourFour: "F...F... F....... F...C.C. F.C.F.C.", .threeFour: "F..... F...C."],
      .calm, [.major, .major, .minor, .mixolydian], rubato: 0.04, gate: 0.98, pedal: true),
    Style(
      "ragtime", [.keyboard], 84...104, "a syncopated melody over a striding left hand",
      [.fourFour: "B.C.B.C. B.C.B.C. B.C.B.BC"], .syncopated, [.major], rubato: 0, gate: 0.8),
    Style(
      "minimal piece", [.keyboard, .plucked, .mallet], 100...128,
      "a gently shifting ostinato with a sparse melody",
      [.fourFour: "02102102 01201201 01210121 02120212", .sixEight: "021021 012012 010212"],
      .calm, [.major, .dorian, .minor, .mixolydian], rubato: 0, pedal: true),
    Style(
      "lullaby", [.keyboard, .plucked, .mallet, .organ], 42...56,
      "a rocking accompaniment under a simple tune",
      [.sixEight: "012121 0.1.2. 012321"], .calm, [.major, .major, .dorian], gate: 0.97, pedal: true),
    Style(
      "march", [.keyboard, .organ], 96...116, "a firm melody over steady chords",
      [.fourFour: "B.C.B.C. B-C-B-C- F.C.B.C."], .moderate, [.major, .major, .minor], rubato: 0, gate: 0.75),
    Style(
      "folk song", [.plucked], 80...112, "a fingerpicked pattern under a folk-like tune",
      [.fourFour: "B213B213 B.12B.12 B121B121", .threeFour: "B.1212 B12121"],
      .moderate, [.major, .minor, .dorian, .mixolydian]),
    Style(
      "strummed song", [.plucked, .organ], 84...112, "strummed chords under an easy melody",
      [.fourFour: "F...C.C. F.C.C.C. F..C..C.", .threeFour: "F.C.C. F...C."],
      .calm, [.major, .minor, .mixolydian]),
    Style(
      "adagio", [.ensemble, .organ], 58...74, "slow sustained chords under a broad melody",
      [.fourFour: "F....... F...C...", .threeFour: "F..... F...C."],
      .calm, [.major, .minor, .dorian], rubato: 0.05, gate: 1),
    Style(
      "chamber song", [.ensemble], 76...100, "gently repeated chords under a flowing melody",
      [.fourFour: "F...C... F.C.C.C. B.C.C.C.", .threeFour: "B.C.C."], .moderate, [.major, .minor], gate: 0.97
    ),
    Style(
      "air", [.solo, .pluckedSolo], 66...88, "a long lyrical line in breathing phrases",
      [.fourFour: "", .threeFour: ""], .moderate, [.major, .minor, .dorian], rubato: 0.07, gate: 0.99),
    Style(
      "song", [.solo, .pluckedSolo, .bass], 84...112, "a simple tune in balanced phrases",
      [.fourFour: "", .threeFour: "", .sixEight: ""], .moderate, [.major, .minor, .mixolydian], gate: 0.92),
    Style(
      "dance", [.solo, .pluckedSolo], 84...108, "a lively, lightly tongued tune",
      [.fourFour: "", .sixEight: ""], .lively, [.major, .dorian, .mixolydian, .minor], rubato: 0, gate: 0.82),
    Style(
      "fanfare", [.solo], 96...116, "proud leaps through the chords", [.fourFour: ""], .leaping, [.major],
      rubato: 0, gate: 0.78),
    Style(
      "etude", [.solo, .pluckedSolo], 84...112, "continuous arpeggio figures",
      [.fourFour: "01232123 02132432 0.123212 01234321", .sixEight: "012321 012343 021323"],
      nil, [.major, .minor], gate: 0.9),
    Style(
      "groove", [.bass], 84...112, "a steady bass groove on roots, fifths and octaves",
      [.fourFour: "0..00.2. 0.0.2.0a 0..3..2a 00.02.3. 0.2.3.2a"],
      nil, [.minor, .dorian, .mixolydian, .major], spacing: .root, rubato: 0, gate: 0.85),
    Style(
      "walking line", [.bass], 104...144, "a walking line of even notes",
      [.fourFour: "012a 021a 032a 01.a2.1a", .threeFour: "02a 01a"],
      nil, [.major, .minor, .dorian], spacing: .root, rubato: 0, gate: 0.92, swing: 0.6),
  ]

  /// Styles that suit an instrument.
  static func suited(to instrument: Instrument) -> [Style] {
    all.filter { style in
      guard style.textures.contains(instrument.texture) else { return false }
      switch style.name {
      // Harps, harpsichords and electric pianos do not stride.
      case "ragtime", "march": return instrument.texture == .organ || instrument.program <= 3
      case "fanfare": return instrument.family == "brass"
      // Muted strings and wooden bars are too short for slow songs.
      case "lullaby", "ballad": return !instrument.isDry
      default: return true
      }
    }
  }
}

/// How busy a melody is, or in which way.
enum Density: Sendable {
  case calm, moderate, lively
  /// Against the beat.
  case syncopated
  /// From chord tone to chord tone, like a bugle.
  case leaping

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
