/// A General MIDI instrument, and what a composer must know of it.
public struct Instrument: Sendable, Hashable {
  /// How an instrument is written for.
  public enum Texture: String, Sendable {
    /// Two hands: accompaniment under melody (pianos, harpsichord, harp).
    case keyboard
    /// Accompaniment and melody on plucked strings (guitars, koto).
    case plucked
    /// Struck bars and drums with short notes (marimba, music box).
    case mallet
    /// Chords and melody of notes that hold as long as the key (organ, accordion).
    case organ
    /// Sections and synthesiser pads: slow chords under a slow melody.
    case ensemble
    /// One voice that holds (winds, bowed strings, leads).
    case solo
    /// One voice that dies away (pizzicato, shamisen).
    case pluckedSolo
    /// One low voice.
    case bass
  }

  /// General MIDI program, 0...127.
  public let program: Int
  public let name: String
  public let family: String
  /// Comfortable range in MIDI keys.
  public let range: ClosedRange<Int>
  public let texture: Texture

  /// Whether several notes may sound at once.
  public var isPolyphonic: Bool {
    switch texture {
    case .solo, .pluckedSolo, .bass: false
    case .keyboard, .plucked, .mallet, .organ, .ensemble: true
    }
  }

  /// Whether a held note keeps sounding.
  public var isSustained: Bool {
    switch texture {
    case .organ, .ensemble, .solo: true
    case .keyboard, .plucked, .mallet, .pluckedSolo, .bass: false
    }
  }

  /// Pianos and vibraphone, whose players hold a pedal.
  var hasPedal: Bool { program <= 5 || program == 11 }

  /// Winds and brass, whose players breathe.
  var breathes: Bool { texture == .solo && ["brass", "reed", "pipe"].contains(family) }
}

extension Instrument {
  /// Every instrument that the corpus writes for, by program: General MIDI without the orchestra hit,
  /// the sound effects and the untuned drums.
  public static let catalogue: [Instrument] = table.split(separator: "\n").compactMap { line in
    let columns = line.split(separator: "|").map(String.init)
    guard columns.count == 6, let program = Int(columns[0]), let low = Int(columns[3]),
      let high = Int(columns[4]),
      let texture = Texture(rawValue: columns[5])
    else { return nil }
    return Instrument(
      program: program, name: columns[1], family: columns[2], range: low...high, texture: texture)
  }

  private static let table = """
    0|acoustic grand piano|piano|31|96|keyboard
    1|bright acoustic piano|piano|31|96|keyboard
    2|electric grand piano|piano|31|93|keyboard
    3|honky-tonk piano|piano|31|91|keyboard
    4|electric piano|piano|33|88|keyboard
    5|FM electric piano|piano|33|88|keyboard
    6|harpsichord|piano|33|86|keyboard
    7|clavinet|piano|36|84|keyboard
    8|celesta|chromatic percussion|60|105|mallet
    9|glockenspiel|chromatic percussion|67|105|mallet
    10|music box|chromatic percussion|57|98|mallet
    11|vibraphone|chromatic percussion|53|89|mallet
    12|marimba|chromatic percussion|45|93|mallet
    13|xylophone|chromatic percussion|65|105|mallet
    14|tubular bells|chromatic percussion|57|79|mallet
    15|dulcimer|chromatic percussion|48|86|plucked
    16|drawbar organ|organ|36|86|organ
    17|percussive organ|organ|36|86|organ
    18|rock organ|organ|36|86|organ
    19|church organ|organ|33|88|organ
    20|reed organ|organ|36|86|organ
    21|accordion|organ|43|88|organ
    22|harmonica|organ|60|88|solo
    23|bandoneon|organ|41|86|organ
    24|nylon guitar|guitar|40|80|plucked
    25|steel guitar|guitar|40|81|plucked
    26|jazz guitar|guitar|40|81|plucked
    27|clean electric guitar|guitar|40|82|plucked
    28|muted electric guitar|guitar|40|79|plucked
    29|overdriven guitar|guitar|43|84|solo
    30|distortion guitar|guitar|43|84|solo
    31|guitar harmonics|guitar|52|84|plucked
    32|acoustic bass|bass|28|57|bass
    33|fingered bass|bass|28|57|bass
    34|picked bass|bass|28|57|bass
    35|fretless bass|bass|28|57|bass
    36|slap bass|bass|28|55|bass
    37|pop bass|bass|28|55|bass
    38|synth bass|bass|28|57|bass
    39|rubber synth bass|bass|28|57|bass
    40|violin|strings|55|93|solo
    41|viola|strings|48|86|solo
    42|cello|strings|36|74|solo
    43|contrabass|strings|29|60|solo
    44|tremolo strings|strings|40|86|ensemble
    45|pizzicato strings|strings|40|86|plucked
    46|harp|strings|33|93|keyboard
    47|timpani|strings|38|57|bass
    48|string ensemble|ensemble|36|88|ensemble
    49|slow string ensemble|ensemble|36|86|ensemble
    50|synth strings|ensemble|36|86|ensemble
    51|soft synth strings|ensemble|36|86|ensemble
    52|choir aahs|ensemble|43|81|ensemble
    53|voice oohs|ensemble|45|79|ensemble
    54|synth voice|ensemble|45|81|ensemble
    56|trumpet|brass|55|84|solo
    57|trombone|brass|41|72|solo
    58|tuba|brass|29|58|solo
    59|muted trumpet|brass|55|82|solo
    60|French horn|brass|41|76|solo
    61|brass section|brass|40|81|ensemble
    62|synth brass|brass|40|81|ensemble
    63|soft synth brass|brass|40|81|ensemble
    64|soprano saxophone|reed|58|86|solo
    65|alto saxophone|reed|50|80|solo
    66|tenor saxophone|reed|46|75|solo
    67|baritone saxophone|reed|38|68|solo
    68|oboe|reed|59|88|solo
    69|English horn|reed|53|81|solo
    70|bassoon|reed|36|70|solo
    71|clarinet|reed|51|88|solo
    72|piccolo|pipe|74|103|solo
    73|flute|pipe|60|93|solo
    74|recorder|pipe|65|93|solo
    75|pan flute|pipe|60|91|solo
    76|bottle|pipe|60|88|solo
    77|shakuhachi|pipe|57|84|solo
    78|whistle|pipe|65|95|solo
    79|ocarina|pipe|60|84|solo
    80|square lead|synth lead|48|88|solo
    81|sawtooth lead|synth lead|48|88|solo
    82|calliope lead|synth lead|53|89|solo
    83|chiff lead|synth lead|53|89|solo
    84|charang lead|synth lead|48|86|solo
    85|voice lead|synth lead|50|86|solo
    86|fifths lead|synth lead|45|81|solo
    87|bass and lead|synth lead|40|79|solo
    88|new age pad|synth pad|40|86|ensemble
    89|warm pad|synth pad|40|84|ensemble
    90|polysynth pad|synth pad|40|86|ensemble
    91|choir pad|synth pad|41|84|ensemble
    92|bowed glass pad|synth pad|43|84|ensemble
    93|metallic pad|synth pad|41|84|ensemble
    94|halo pad|synth pad|41|84|ensemble
    95|sweep pad|synth pad|40|84|ensemble
    104|sitar|world|48|77|pluckedSolo
    105|banjo|world|48|84|plucked
    106|shamisen|world|50|79|pluckedSolo
    107|koto|world|50|86|plucked
    108|kalimba|world|53|86|mallet
    109|bagpipe|world|58|79|solo
    110|fiddle|world|55|91|solo
    111|shanai|world|54|79|solo
    112|tinkle bell|percussive|67|98|mallet
    114|steel drums|percussive|52|84|mallet
    """

  /// The instruments that `names` choose: names, family names or program numbers, in any case.
  ///
  /// An empty list chooses the whole catalogue. The result is ordered by program and has no repeats.
  /// - Throws: `CorpusError.unknownInstrument`, with the nearest names.
  public static func select(_ names: [String]) throws -> [Instrument] {
    if names.isEmpty { return catalogue }
    var chosen: Set<Instrument> = []
    for raw in names {
      let name = normalised(raw)
      if name == "all" { return catalogue }
      let matches: [Instrument]
      if let program = Int(name) {
        matches = catalogue.filter { $0.program == program }
      } else {
        let exact = catalogue.filter { normalised($0.name) == name }
        let family = catalogue.filter { normalised($0.family) == name }
        // "piano" is a family, but who types "violin" or "grand piano" means an instrument.
        let part = catalogue.filter { normalised($0.name).contains(name) }
        matches = [exact, family, part.count == 1 ? part : []].first { !$0.isEmpty } ?? []
      }
      guard !matches.isEmpty else {
        throw CorpusError.unknownInstrument(raw, nearest: nearest(to: name))
      }
      chosen.formUnion(matches)
    }
    return chosen.sorted { $0.program < $1.program }
  }

  private static func normalised(_ name: String) -> String {
    String(name.lowercased().map { $0 == "-" || $0 == "_" ? " " : $0 }).split(separator: " ").joined(
      separator: " ")
  }

  private static func nearest(to name: String) -> [String] {
    let families = Set(catalogue.map(\.family))
    let candidates = (catalogue.map(\.name) + families.sorted()).map { candidate in
      let text = normalised(candidate)
      let contains = !name.isEmpty && text.contains(name)
      let words = text.split(separator: " ").map(String.init) + [text]
      return (candidate, contains ? 0 : words.map { editDistance($0, name) }.min() ?? 99)
    }
    let ordered = candidates.enumerated().sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }
    return ordered.prefix(4).map(\.element.0)
  }

  private static func editDistance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let cost = min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = cost
      }
    }
    return row[b.count]
  }
}
