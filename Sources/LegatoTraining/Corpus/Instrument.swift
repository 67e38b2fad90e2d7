/// A General MIDI instrument, and what a composer must know of it.
public struct Instrument: Sendable, Hashable {
  /// How an instrument is written for.
  public enum Texture: String, Sendable {
    /// Accompaniment under melody: for two hands, on plucked strings, in short notes on struck bars.
    case keyboard, plucked, mallet
    /// Chords and melody that hold as long as the key; slow chords of sections and pads under a slow melody.
    case organ, ensemble
    /// One voice that holds, one that dies away (pizzicato, shamisen), a low one.
    case solo, pluckedSolo, bass
  }

  /// General MIDI program, 0...127.
  public let program: Int
  public let name, family: String
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
  /// What the corpus writes for, by program: General MIDI without orchestra hit, effects and untuned drums.
  public static let catalogue: [Instrument] = table.split(separator: "\n").flatMap { row -> [Instrument] in
    let columns = row.split(separator: ":")
    guard let texture = Texture(rawValue: String(columns[0])) else { return [] }
    return columns[1].split(separator: ",").map { entry in
      let words = entry.split(separator: " ")
      let (name, numbers) = (words.dropFirst().dropLast(2), words.compactMap { Int($0) })
      return Instrument(
        program: numbers[0], name: name.joined(separator: " "), family: families[numbers[0] / 8],
        range: numbers[1]...numbers[2], texture: texture)
    }
  }.sorted { $0.program < $1.program }

  /// Of eight programs each.
  private static let families = [
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed",
    "pipe", "synth lead", "synth pad", "synth effects", "world", "percussive",
  ]

  /// Textures; programs, names, lowest and highest keys.
  private static let table = """
    keyboard: 0 acoustic grand piano 31 96, 1 bright acoustic piano 31 96, 2 electric grand piano 31 93, \
      3 honky-tonk piano 31 91, 4 electric piano 33 88, 5 FM electric piano 33 88, 6 harpsichord 33 86, \
      7 clavinet 36 84, 46 harp 33 93
    mallet: 8 celesta 60 105, 9 glockenspiel 67 105, 10 music box 57 98, 11 vibraphone 53 89, \
      12 marimba 45 93, 13 xylophone 65 105, 14 tubular bells 57 79, 108 kalimba 53 86, \
      112 tinkle bell 67 98, 114 steel drums 52 84
    plucked: 15 dulcimer 48 86, 24 nylon guitar 40 80, 25 steel guitar 40 81, 26 jazz guitar 40 81, \
      27 clean electric guitar 40 82, 28 muted electric guitar 40 79, 31 guitar harmonics 52 84, \
      45 pizzicato strings 40 86, 105 banjo 48 84, 107 koto 50 86
    organ: 16 drawbar organ 36 86, 17 percussive organ 36 86, 18 rock organ 36 86, 19 church organ 33 88, \
      20 reed organ 36 86, 21 accordion 43 88, 23 bandoneon 41 86
    solo: 22 harmonica 60 88, 29 overdriven guitar 43 84, 30 distortion guitar 43 84, 40 violin 55 93, \
      41 viola 48 86, 42 cello 36 74, 43 contrabass 29 60, 56 trumpet 55 84, 57 trombone 41 72, \
      58 tuba 29 58, 59 muted trumpet 55 82, 60 French horn 41 76, 64 soprano saxophone 58 86, \
      65 alto saxophone 50 80, 66 tenor saxophone 46 75, 67 baritone saxophone 38 68, 68 oboe 59 88, \
      69 English horn 53 81, 70 bassoon 36 70, 71 clarinet 51 88, 72 piccolo 74 103, 73 flute 60 93, \
      74 recorder 65 93, 75 pan flute 60 91, 76 bottle 60 88, 77 shakuhachi 57 84, 78 whistle 65 95, \
      79 ocarina 60 84, 80 square lead 48 88, 81 sawtooth lead 48 88, 82 calliope lead 53 89, \
      83 chiff lead 53 89, 84 charang lead 48 86, 85 voice lead 50 86, 86 fifths lead 45 81, \
      87 bass and lead 40 79, 109 bagpipe 58 79, 110 fiddle 55 91, 111 shanai 54 79
    bass: 32 acoustic bass 28 57, 33 fingered bass 28 57, 34 picked bass 28 57, 35 fretless bass 28 57, \
      36 slap bass 28 55, 37 pop bass 28 55, 38 synth bass 28 57, 39 rubber synth bass 28 57, \
      47 timpani 38 57
    ensemble: 44 tremolo strings 40 86, 48 string ensemble 36 88, 49 slow string ensemble 36 86, \
      50 synth strings 36 86, 51 soft synth strings 36 86, 52 choir aahs 43 81, 53 voice oohs 45 79, \
      54 synth voice 45 81, 61 brass section 40 81, 62 synth brass 40 81, 63 soft synth brass 40 81, \
      88 new age pad 40 86, 89 warm pad 40 84, 90 polysynth pad 40 86, 91 choir pad 41 84, \
      92 bowed glass pad 43 84, 93 metallic pad 41 84, 94 halo pad 41 84, 95 sweep pad 40 84
    pluckedSolo: 104 sitar 48 77, 106 shamisen 50 79
    """

  /// The instruments, by program, that names (or an unmistakable part of one), families and programs choose,
  /// in any case; an empty list chooses the whole catalogue.
  /// - Throws: `CorpusError.unknownInstrument`, which names the nearest.
  public static func select(_ names: [String]) throws -> [Instrument] {
    var chosen: Set<Instrument> = names.isEmpty ? Set(catalogue) : []
    for name in names {
      let key = plain(name)
      let part = catalogue.filter { plain($0.name).contains(key) }
      let matches = [
        catalogue.filter { Int(key) == $0.program || plain($0.name) == key || key == "all" },
        catalogue.filter { $0.family == key }, part.count == 1 ? part : [],
      ].first { !$0.isEmpty }
      guard let matches else {
        throw CorpusError.unknownInstrument(
          "unknown instrument \"\(name)\". Nearest: \(nearest(to: key).joined(separator: ", ")). "
            + "Names, families (piano, strings, …) and General MIDI programs (0...127) are understood")
      }
      chosen.formUnion(matches)
    }
    return chosen.sorted { $0.program < $1.program }
  }

  private static func plain(_ name: String) -> String {
    String(name.lowercased().map { $0 == "-" || $0 == "_" ? " " : $0 })
  }

  private static func nearest(to key: String) -> [String] {
    let candidates = catalogue.map(\.name) + Set(catalogue.map(\.family)).sorted()
    let distances = candidates.map { name in
      // "violn" is near to one word of a name, "pianno" to several.
      let words = name.split(separator: " ").map(String.init) + [name]
      return plain(name).contains(key) ? 0 : words.map { NearestWord.distance(plain($0), key) }.min() ?? 0
    }
    return zip(candidates, distances).sorted { $0.1 < $1.1 }.prefix(4).map(\.0)
  }
}
