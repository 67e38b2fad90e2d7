/// A manner of writing that one piece keeps from beginning to end.
///
/// A figure is one bar of accompaniment, cut into as many equal slots as it has characters: a digit sounds
/// that tone of the voicing (0 the lowest), `B` the bass, `C` the chord above it, `F` both, `a` a step that
/// leads into the next chord; `.` holds what sounds, `-` is a rest.
struct Style: Sendable {
  var name: String
  var textures: Set<Instrument.Texture>
  /// Beats per minute.
  var tempo: ClosedRange<Double>
  /// Said of the piece in captions.
  var manner: String
  var figures: [Meter: String]
  /// Busyness of the melody; nil where the figures are the music.
  var melody: Density?
  var modes: [Mode]
  var spacing = Accompanist.Spacing.close
  /// Share of the tempo that phrases may bend.
  var rubato = 0.03
  /// Share of its slot that a melody note sounds.
  var gate = 0.95
  /// Where an off-beat quaver falls within its beat, 0.5 = straight.
  var swing = 0.5
  var pedal = false

  static let all: [Style] = [
    Style(
      name: "ballad", textures: [.keyboard, .plucked], tempo: 62...84,
      manner: "broken chords under a singing melody",
      figures: [
        .fourFour: "01232123 01231323 0.123.2. 01213121 0.1.2.1.", .sixEight: "012321 012323 01.321",
      ],
      melody: .moderate, modes: [.major, .minor, .minor], spacing: .wide, rubato: 0.05, pedal: true),
    Style(
      name: "nocturne", textures: [.keyboard], tempo: 56...72,
      manner: "wide left-hand arpeggios under an expressive melody",
      figures: [
        .fourFour: "012345432123 012343212343 012323012323", .sixEight: "012343 012345 01232.2.123.",
      ],
      melody: .calm, modes: [.major, .minor], spacing: .wide, rubato: 0.09, pedal: true),
    Style(
      name: "sonatina", textures: [.keyboard], tempo: 96...126,
      manner: "a bright melody over an Alberti bass",
      figures: [.fourFour: "02120212 01210121 0.2.1.2. 02120.2.", .threeFour: "021212 012121"],
      melody: .moderate, modes: [.major, .major, .major, .minor], gate: 0.85),
    Style(
      name: "waltz", textures: [.keyboard, .plucked, .organ, .mallet], tempo: 108...152,
      manner: "a lilting melody over bass notes and off-beat chords",
      figures: [.threeFour: "B.C.C. B.C.C- B.C... B.1.2."], melody: .moderate, modes: [.major, .minor],
      rubato: 0.05, gate: 0.92, pedal: true),
    Style(
      name: "prelude", textures: [.keyboard, .plucked, .mallet], tempo: 62...84,
      manner: "flowing arpeggios that carry the harmony",
      figures: [
        .fourFour: "0123423401234234 0213243202132432 0123432101234321 0232123202321232",
        .sixEight: "012343212343 023432 012343",
      ],
      melody: nil, modes: [.major, .minor, .dorian], rubato: 0.05, pedal: true),
    Style(
      name: "hymn", textures: [.keyboard, .organ, .ensemble], tempo: 68...92,
      manner: "full chords that move with a plain melody",
      figures: [.fourFour: "F...F... F....... F...C.C. F.C.F.C.", .threeFour: "F..... F...C."], melody: .calm,
      modes: [.major, .major, .minor, .mixolydian], rubato: 0.04, gate: 0.98, pedal: true),
    Style(
      name: "ragtime", textures: [.keyboard], tempo: 84...104,
      manner: "a syncopated melody over a striding left hand",
      figures: [.fourFour: "B.C.B.C. B.C.B.C. B.C.B.BC"], melody: .syncopated, modes: [.major], rubato: 0,
      gate: 0.8),
    Style(
      name: "minimal piece", textures: [.keyboard, .plucked, .mallet], tempo: 100...128,
      manner: "a gently shifting ostinato with a sparse melody",
      figures: [.fourFour: "02102102 01201201 01210121 02120212", .sixEight: "021021 012012 010212"],
      melody: .calm, modes: [.major, .dorian, .minor, .mixolydian], rubato: 0, pedal: true),
    Style(
      name: "lullaby", textures: [.keyboard, .plucked, .mallet, .organ], tempo: 42...56,
      manner: "a rocking accompaniment under a simple tune", figures: [.sixEight: "012121 0.1.2. 012321"],
      melody: .calm, modes: [.major, .major, .dorian], gate: 0.97, pedal: true),
    Style(
      name: "march", textures: [.keyboard, .organ], tempo: 96...116,
      manner: "a firm melody over steady chords", figures: [.fourFour: "B.C.B.C. B-C-B-C- F.C.B.C."],
      melody: .moderate, modes: [.major, .major, .minor], rubato: 0, gate: 0.75),
    Style(
      name: "folk song", textures: [.plucked], tempo: 80...112,
      manner: "a fingerpicked pattern under a folk-like tune",
      figures: [.fourFour: "B213B213 B.12B.12 B121B121", .threeFour: "B.1212 B12121"], melody: .moderate,
      modes: [.major, .minor, .dorian, .mixolydian]),
    Style(
      name: "strummed song", textures: [.plucked, .organ], tempo: 84...112,
      manner: "strummed chords under an easy melody",
      figures: [.fourFour: "F...C.C. F.C.C.C. F..C..C.", .threeFour: "F.C.C. F...C."], melody: .calm,
      modes: [.major, .minor, .mixolydian]),
    Style(
      name: "adagio", textures: [.ensemble, .organ], tempo: 58...74,
      manner: "slow sustained chords under a broad melody",
      figures: [.fourFour: "F....... F...C...", .threeFour: "F..... F...C."], melody: .calm,
      modes: [.major, .minor, .dorian], rubato: 0.05, gate: 1),
    Style(
      name: "chamber song", textures: [.ensemble], tempo: 76...100,
      manner: "gently repeated chords under a flowing melody",
      figures: [.fourFour: "F...C... F.C.C.C. B.C.C.C.", .threeFour: "B.C.C."], melody: .moderate,
      modes: [.major, .minor], gate: 0.97),
    Style(
      name: "air", textures: [.solo, .pluckedSolo], tempo: 66...88,
      manner: "a long lyrical line in breathing phrases", figures: [.fourFour: "", .threeFour: ""],
      melody: .moderate, modes: [.major, .minor, .dorian], rubato: 0.07, gate: 0.99),
    Style(
      name: "song", textures: [.solo, .pluckedSolo, .bass], tempo: 84...112,
      manner: "a simple tune in balanced phrases", figures: [.fourFour: "", .threeFour: "", .sixEight: ""],
      melody: .moderate, modes: [.major, .minor, .mixolydian], gate: 0.92),
    Style(
      name: "dance", textures: [.solo, .pluckedSolo], tempo: 84...108,
      manner: "a lively, lightly tongued tune", figures: [.fourFour: "", .sixEight: ""], melody: .lively,
      modes: [.major, .dorian, .mixolydian, .minor], rubato: 0, gate: 0.82),
    Style(
      name: "fanfare", textures: [.solo], tempo: 96...116, manner: "proud leaps through the chords",
      figures: [.fourFour: ""], melody: .leaping, modes: [.major], rubato: 0, gate: 0.78),
    Style(
      name: "etude", textures: [.solo, .pluckedSolo], tempo: 84...112, manner: "continuous arpeggio figures",
      figures: [.fourFour: "01232123 02132432 0.123212 01234321", .sixEight: "012321 012343 021323"],
      melody: nil, modes: [.major, .minor], gate: 0.9),
    Style(
      name: "groove", textures: [.bass], tempo: 84...112,
      manner: "a steady bass groove on roots, fifths and octaves",
      figures: [.fourFour: "0..00.2. 0.0.2.0a 0..3..2a 00.02.3. 0.2.3.2a"], melody: nil,
      modes: [.minor, .dorian, .mixolydian, .major], spacing: .root, rubato: 0, gate: 0.85),
    Style(
      name: "walking line", textures: [.bass], tempo: 104...144, manner: "a walking line of even notes",
      figures: [.fourFour: "012a 021a 032a 01.a2.1a", .threeFour: "02a 01a"], melody: nil,
      modes: [.major, .minor, .dorian], spacing: .root, rubato: 0, gate: 0.92, swing: 0.6),
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
