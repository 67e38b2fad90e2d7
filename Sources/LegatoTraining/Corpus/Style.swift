/// How busy a melody is.
enum Density: Int, Sendable {
  case calm, moderate, lively

  var busier: Density { Density(rawValue: rawValue + 1) ?? self }
  var calmer: Density { Density(rawValue: rawValue - 1) ?? self }
}

/// A manner of writing that one piece keeps from beginning to end.
///
/// A figure is one bar of accompaniment, cut into as many equal slots as it has characters: a digit sounds
/// that tone of the voicing (0 the lowest), `B` the bass, `C` the chord above it, `F` both, `a` a step that
/// leads into the next chord; `.` holds what sounds, `-` is a rest.
struct Style: Sendable {
  var name: String
  /// Said of the piece in captions.
  var manner: String
  var textures: Set<Instrument.Texture>
  /// Beats per minute.
  var tempo: ClosedRange<Double>
  var figures: [Meter: [String]]
  /// Whether voicing tones are spread (bass, fifth, octave, tenth, …) or close together.
  var spacing = Accompanist.Spacing.close
  /// Busyness of the melody; nil where the figures are the music.
  var melody: Density?
  var isSyncopated = false
  /// Whether the melody prefers chord tones, like a bugle.
  var leaps = false
  /// Share of the tempo that phrases may bend.
  var rubato = 0.03
  /// Share of its slot that a melody note sounds.
  var gate = 0.95
  /// Where an off-beat quaver falls within its beat, 0.5 = straight.
  var swing = 0.5
  var pedal = false
  var modes: [Mode] = [.major, .major, .minor]

  static let all: [Style] = [
    Style(
      name: "ballad", manner: "broken chords under a singing melody", textures: [.keyboard, .plucked],
      tempo: 62...84,
      figures: [
        .fourFour: ["01232123", "01231323", "0.123.2.", "01213121", "0.1.2.1."],
        .sixEight: ["012321", "012323", "01.321"],
      ], spacing: .wide, melody: .moderate, rubato: 0.05, pedal: true, modes: [.major, .minor, .minor]),
    Style(
      name: "nocturne", manner: "wide left-hand arpeggios under an expressive melody",
      textures: [.keyboard], tempo: 56...72,
      figures: [
        .fourFour: ["012345432123", "012343212343", "012323012323"],
        .sixEight: ["012343", "012345", "01232.2.123."],
      ], spacing: .wide, melody: .calm, rubato: 0.09, pedal: true, modes: [.major, .minor]),
    Style(
      name: "sonatina", manner: "a bright melody over an Alberti bass", textures: [.keyboard],
      tempo: 96...126,
      figures: [
        .fourFour: ["02120212", "01210121", "0.2.1.2.", "02120.2."], .threeFour: ["021212", "012121"],
      ], melody: .moderate, gate: 0.85, modes: [.major, .major, .major, .minor]),
    Style(
      name: "waltz", manner: "a lilting melody over bass notes and off-beat chords",
      textures: [.keyboard, .plucked, .organ, .mallet], tempo: 108...152,
      figures: [.threeFour: ["B.C.C.", "B.C.C-", "B.C...", "B.1.2."]], melody: .moderate, rubato: 0.05,
      gate: 0.92, pedal: true, modes: [.major, .minor]),
    Style(
      name: "prelude", manner: "flowing arpeggios that carry the harmony",
      textures: [.keyboard, .plucked, .mallet],
      tempo: 62...84,
      figures: [
        .fourFour: ["0123423401234234", "0213243202132432", "0123432101234321", "0232123202321232"],
        .sixEight: ["012343212343", "023432", "012343"],
      ], melody: nil, rubato: 0.05, pedal: true, modes: [.major, .minor, .dorian]),
    Style(
      name: "hymn", manner: "full chords that move with a plain melody",
      textures: [.keyboard, .organ, .ensemble],
      tempo: 68...92,
      figures: [
        .fourFour: ["F...F...", "F.......", "F...C.C.", "F.C.F.C."], .threeFour: ["F.....", "F...C."],
      ], melody: .calm, rubato: 0.04, gate: 0.98, pedal: true, modes: [.major, .major, .minor, .mixolydian]),
    Style(
      name: "ragtime", manner: "a syncopated melody over a striding left hand", textures: [.keyboard],
      tempo: 84...104, figures: [.fourFour: ["B.C.B.C.", "B.C.B.C.", "B.C.B.BC"]], melody: .lively,
      isSyncopated: true, rubato: 0, gate: 0.8, modes: [.major]),
    Style(
      name: "minimal piece", manner: "a gently shifting ostinato with a sparse melody",
      textures: [.keyboard, .plucked, .mallet], tempo: 100...128,
      figures: [
        .fourFour: ["02102102", "01201201", "01210121", "02120212"],
        .sixEight: ["021021", "012012", "010212"],
      ], melody: .calm, rubato: 0, pedal: true, modes: [.major, .dorian, .minor, .mixolydian]),
    Style(
      name: "lullaby", manner: "a rocking accompaniment under a simple tune",
      textures: [.keyboard, .plucked, .mallet, .organ], tempo: 42...56,
      figures: [.sixEight: ["012121", "0.1.2.", "012321"]], melody: .calm, gate: 0.97, pedal: true,
      modes: [.major, .major, .dorian]),
    Style(
      name: "march", manner: "a firm melody over steady chords", textures: [.keyboard, .organ],
      tempo: 96...116,
      figures: [.fourFour: ["B.C.B.C.", "B-C-B-C-", "F.C.B.C."]], melody: .moderate, rubato: 0, gate: 0.75,
      modes: [.major, .major, .minor]),
    Style(
      name: "folk song", manner: "a fingerpicked pattern under a folk-like tune", textures: [.plucked],
      tempo: 80...112,
      figures: [.fourFour: ["B213B213", "B.12B.12", "B121B121"], .threeFour: ["B.1212", "B12121"]],
      melody: .moderate, modes: [.major, .minor, .dorian, .mixolydian]),
    Style(
      name: "strummed song", manner: "strummed chords under an easy melody", textures: [.plucked, .organ],
      tempo: 84...112,
      figures: [.fourFour: ["F...C.C.", "F.C.C.C.", "F..C..C."], .threeFour: ["F.C.C.", "F...C."]],
      melody: .calm, modes: [.major, .minor, .mixolydian]),
    Style(
      name: "adagio", manner: "slow sustained chords under a broad melody", textures: [.ensemble, .organ],
      tempo: 58...74, figures: [.fourFour: ["F.......", "F...C..."], .threeFour: ["F.....", "F...C."]],
      melody: .calm, rubato: 0.05, gate: 1, modes: [.major, .minor, .dorian]),
    Style(
      name: "chamber song", manner: "gently repeated chords under a flowing melody", textures: [.ensemble],
      tempo: 76...100, figures: [.fourFour: ["F...C...", "F.C.C.C.", "B.C.C.C."], .threeFour: ["B.C.C."]],
      melody: .moderate, rubato: 0.03, gate: 0.97, modes: [.major, .minor]),
    Style(
      name: "air", manner: "a long lyrical line in breathing phrases", textures: [.solo, .pluckedSolo],
      tempo: 66...88, figures: [.fourFour: [], .threeFour: []], melody: .moderate, rubato: 0.07, gate: 0.99,
      modes: [.major, .minor, .dorian]),
    Style(
      name: "song", manner: "a simple tune in balanced phrases", textures: [.solo, .pluckedSolo, .bass],
      tempo: 84...112, figures: [.fourFour: [], .threeFour: [], .sixEight: []], melody: .moderate, gate: 0.92,
      modes: [.major, .minor, .mixolydian]),
    Style(
      name: "dance", manner: "a lively, lightly tongued tune", textures: [.solo, .pluckedSolo],
      tempo: 84...108,
      figures: [.fourFour: [], .sixEight: []], melody: .lively, rubato: 0, gate: 0.82,
      modes: [.major, .dorian, .mixolydian, .minor]),
    Style(
      name: "fanfare", manner: "proud leaps through the chords", textures: [.solo], tempo: 96...116,
      figures: [.fourFour: []], melody: .moderate, leaps: true, rubato: 0, gate: 0.78, modes: [.major]),
    Style(
      name: "etude", manner: "continuous arpeggio figures", textures: [.solo, .pluckedSolo], tempo: 84...112,
      figures: [
        .fourFour: ["01232123", "02132432", "0.123212", "01234321"],
        .sixEight: ["012321", "012343", "021323"],
      ], melody: nil, gate: 0.9, modes: [.major, .minor]),
    Style(
      name: "groove", manner: "a steady bass groove on roots, fifths and octaves", textures: [.bass],
      tempo: 84...112, figures: [.fourFour: ["0..00.2.", "0.0.2.0a", "0..3..2a", "00.02.3.", "0.2.3.2a"]],
      spacing: .root, melody: nil, rubato: 0, gate: 0.85, modes: [.minor, .dorian, .mixolydian, .major]),
    Style(
      name: "walking line", manner: "a walking line of even notes", textures: [.bass], tempo: 104...144,
      figures: [.fourFour: ["012a", "021a", "032a", "01.a2.1a"], .threeFour: ["02a", "01a"]], spacing: .root,
      melody: nil,
      rubato: 0, gate: 0.92, swing: 0.6, modes: [.major, .minor, .dorian]),
  ]

  /// Styles that suit an instrument.
  static func suited(to instrument: Instrument) -> [Style] {
    all.filter { style in
      guard style.textures.contains(instrument.texture) else { return false }
      switch style.name {
      // Harps, harpsichords and electric pianos do not stride.
      case "ragtime", "march":
        return instrument.texture != .keyboard || [0, 1, 2, 3].contains(instrument.program)
      case "fanfare": return instrument.family == "brass"
      // A muted or harmonic string is too short for slow songs, and so are wooden bars.
      case "lullaby", "ballad": return ![12, 13, 28].contains(instrument.program)
      default: return true
      }
    }
  }
}

/// Melodic rhythms: note lengths in semiquavers, each cell half a bar (a whole bar in 3/4).
enum Rhythm {
  static func bar(_ meter: Meter, _ density: Density, syncopated: Bool, using random: inout SeededGenerator)
    -> [Int]
  {
    let cells = syncopated && meter == .fourFour ? syncopatedCells : self.cells(meter, density)
    var result = random.pick(cells)
    if meter != .threeFour {
      // The second half often repeats the first: what makes a rhythm a motif.
      result += random.chance(0.4) ? result : random.pick(cells)
    }
    return result.map { $0 * Tick.sixteenth }
  }

  private static let syncopatedCells = [
    [1, 2, 1, 2, 2], [2, 4, 2], [1, 2, 1, 4], [2, 2, 1, 2, 1], [1, 2, 1, 1, 2, 1], [2, 2, 2, 2], [4, 2, 2],
  ]

  private static func cells(_ meter: Meter, _ density: Density) -> [[Int]] {
    switch (meter, density) {
    case (.fourFour, .calm): [[8], [4, 4], [6, 2], [4, 4], [4, 2, 2]]
    case (.fourFour, .moderate): [[4, 4], [6, 2], [4, 2, 2], [2, 2, 4], [2, 2, 2, 2], [2, 4, 2]]
    case (.fourFour, .lively):
      [
        [2, 2, 2, 2], [4, 2, 2], [2, 2, 4], [2, 1, 1, 2, 2], [2, 2, 2, 1, 1], [3, 1, 2, 2], [1, 1, 2, 2, 2],
        [2, 1, 1, 4],
      ]
    case (.threeFour, .calm): [[8, 4], [4, 8], [6, 2, 4], [4, 4, 4], [8, 2, 2]]
    case (.threeFour, .moderate):
      [[4, 4, 4], [6, 2, 4], [4, 2, 2, 4], [2, 2, 4, 4], [8, 2, 2], [4, 4, 2, 2]]
    case (.threeFour, .lively):
      [
        [2, 2, 2, 2, 2, 2], [4, 2, 2, 2, 2], [2, 2, 4, 2, 2], [3, 1, 4, 4], [4, 2, 2, 4], [2, 1, 1, 4, 4],
      ]
    case (.sixEight, .calm): [[6], [4, 2], [4, 2], [2, 2, 2]]
    case (.sixEight, .moderate): [[4, 2], [4, 2], [2, 2, 2], [2, 4], [6]]
    case (.sixEight, .lively): [[2, 2, 2], [2, 2, 2], [4, 2], [3, 1, 2], [2, 2, 1, 1], [4, 1, 1]]
    }
  }
}
