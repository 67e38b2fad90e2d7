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
  public var isPolyphonic: Bool { ![.solo, .pluckedSolo, .bass].contains(texture) }

  /// Whether a held note keeps sounding.
  public var isSustained: Bool { [.organ, .ensemble, .solo].contains(texture) }

  /// Pianos and vibraphone, whose players hold a pedal.
  var hasPedal: Bool { program <= 5 || program == 11 }

  /// Wooden bars and muted strings, which hardly ring.
  var isDry: Bool { [12, 13, 28, 45].contains(program) }

  /// Winds and brass, whose players breathe.
  var breathes: Bool { texture == .solo && ["brass", "reed", "pipe"].contains(family) }
}

extension Instrument {
  /// Every instrument that the corpus writes for, by program: General MIDI without the orchestra hit,
  /// the sound effects and the untuned drums.
  public static let catalogue: [Instrument] = table.split(separator: "\n").flatMap { line -> [Instrument] in
    let columns = line.split(separator: "|").map(String.init)
    guard columns.count == 4, let texture = Texture(rawValue: columns[0]), let first = Int(columns[2]) else {
      return []
    }
    return columns[3].split(separator: ",").enumerated().compactMap { i, entry in
      let words = entry.split(separator: " ")
      guard let low = Int(words[words.count - 2]), let high = Int(words[words.count - 1])
      else {
        return nil
      }
      return Instrument(
        program: first + i, name: words.dropLast(2).joined(separator: " "), family: columns[1],
        range: low...high, texture: texture)
    }
  }

  /// Texture, family, first program; then names with their lowest and highest key, by program.
  private static let table = """
    keyboard|piano|0|acoustic grand piano 31 96, bright acoustic piano 31 96, electric grand piano 31 93
    keyboard|piano|3|honky-tonk piano 31 91, electric piano 33 88, FM electric piano 33 88
    keyboard|piano|6|harpsichord 33 86, clavinet 36 84
    mallet|chromatic percussion|8|celesta 60 105, glockenspiel 67 105, music box 57 98, vibraphone 53 89
    mallet|chromatic percussion|12|marimba 45 93, xylophone 65 105, tubular bells 57 79
    plucked|chromatic percussion|15|dulcimer 48 86
    organ|organ|16|drawbar organ 36 86, percussive organ 36 86, rock organ 36 86, church organ 33 88
    organ|organ|20|reed organ 36 86, accordion 43 88
    solo|organ|22|harmonica 60 88
    organ|organ|23|bandoneon 41 86
    plucked|guitar|24|nylon guitar 40 80, steel guitar 40 81, jazz guitar 40 81
    plucked|guitar|27|clean electric guitar 40 82, muted electric guitar 40 79
    solo|guitar|29|overdriven guitar 43 84, distortion guitar 43 84
    plucked|guitar|31|guitar harmonics 52 84
    bass|bass|32|acoustic bass 28 57, fingered bass 28 57, picked bass 28 57, fretless bass 28 57
    bass|bass|36|slap bass 28 55, pop bass 28 55, synth bass 28 57, rubber synth bass 28 57
    solo|strings|40|violin 55 93, viola 48 86, cello 36 74, contrabass 29 60
    ensemble|strings|44|tremolo strings 40 86
    plucked|strings|45|pizzicato strings 40 86
    keyboard|strings|46|harp 33 93
    bass|strings|47|timpani 38 57
    ensemble|ensemble|48|string ensemble 36 88, slow string ensemble 36 86, synth strings 36 86
    ensemble|ensemble|51|soft synth strings 36 86, choir aahs 43 81, voice oohs 45 79, synth voice 45 81
    solo|brass|56|trumpet 55 84, trombone 41 72, tuba 29 58, muted trumpet 55 82, French horn 41 76
    ensemble|brass|61|brass section 40 81, synth brass 40 81, soft synth brass 40 81
    solo|reed|64|soprano saxophone 58 86, alto saxophone 50 80, tenor saxophone 46 75
    solo|reed|67|baritone saxophone 38 68, oboe 59 88, English horn 53 81, bassoon 36 70, clarinet 51 88
    solo|pipe|72|piccolo 74 103, flute 60 93, recorder 65 93, pan flute 60 91, bottle 60 88
    solo|pipe|77|shakuhachi 57 84, whistle 65 95, ocarina 60 84
    solo|synth lead|80|square lead 48 88, sawtooth lead 48 88, calliope lead 53 89, chiff lead 53 89
    solo|synth lead|84|charang lead 48 86, voice lead 50 86, fifths lead 45 81, bass and lead 40 79
    ensemble|synth pad|88|new age pad 40 86, warm pad 40 84, polysynth pad 40 86, choir pad 41 84
    ensemble|synth pad|92|bowed glass pad 43 84, metallic pad 41 84, halo pad 41 84, sweep pad 40 84
    pluckedSolo|world|104|sitar 48 77
    plucked|world|105|banjo 48 84
    pluckedSolo|world|106|shamisen 50 79
    plucked|world|107|koto 50 86
    mallet|world|108|kalimba 53 86
    solo|world|109|bagpipe 58 79, fiddle 55 91, shanai 54 79
    mallet|percussive|112|tinkle bell 67 98
    mallet|percussive|114|steel drums 52 84
    """

  /// The instruments that `names` choose: names or an unmistakable part of one, families, programs; in any case.
  ///
  /// An empty list chooses the whole catalogue. The result is ordered by program and has no repeats.
  /// - Throws: `CorpusError.unknownInstrument`, with the nearest names.
  public static func select(_ names: [String]) throws -> [Instrument] {
    var chosen: Set<Instrument> = names.isEmpty ? Set(catalogue) : []
    for name in names {
      let key = plain(name)
      let part = catalogue.filter { plain($0.name).contains(key) }
      let matches =
        [
          catalogue.filter { Int(key) == $0.program || plain($0.name) == key || key == "all" },
          catalogue.filter { $0.family == key }, part.count == 1 ? part : [],
        ].first { !$0.isEmpty } ?? []
      if matches.isEmpty { throw CorpusError.unknownInstrument(name, nearest: nearest(to: key)) }
      chosen.formUnion(matches)
    }
    return chosen.sorted { $0.program < $1.program }
  }

  private static func plain(_ name: String) -> String {
    String(name.lowercased().map { $0 == "-" || $0 == "_" ? " " : $0 })
  }

  private static func nearest(to key: String) -> [String] {
    let candidates = catalogue.map(\.name) + Set(catalogue.map(\.family)).sorted()
    let distances = candidates.enumerated().map { i, name in
      // "violn" is near to one word of a name, "pianno" to several.
      let words = name.split(separator: " ").map(String.init) + [name]
      return (
        plain(name).contains(key) ? 0 : words.map { NearestWord.distance(plain($0), key) }.min() ?? 0, i
      )
    }
    return distances.sorted { $0 < $1 }.prefix(4).map { candidates[$0.1] }
  }
}
