/// What is decided before the first note.
struct Plan: Sendable {
  struct Section: Sendable {
    /// 0 = A.
    var letter: Int
    var tonality: Tonality
    /// One progression a phrase.
    var progressions: [String]
    var motifs: [Motif]
    var melodyPlan: String
    var figures: [String]
    /// Added to velocities.
    var level: Double
    /// Added to the centre of the melody, in semitones.
    var lift: Int
  }

  /// Four bars.
  struct Phrase: Sendable {
    var letter: Int
    var index: Int
    /// How often its section has come before.
    var visit: Int
    var isIntroduction = false
  }

  var instrument: Instrument
  var style: Style
  var meter: Meter
  var tonality: Tonality
  /// Beats per minute before it is fitted to the length.
  var tempo: Double
  var baseVelocity: Double
  var sections: [Section]
  var phrases: [Phrase] = []
  var form: String

  var phraseTicks: Int { 4 * meter.bar }
  /// Where the closing chord begins.
  var finalTick: Int { phrases.count * phraseTicks - meter.bar }

  init(instrument: Instrument, seed: UInt64, seconds: Double) {
    var random = SeededGenerator(seed: seed, path: 1)
    let style = random.pick(Style.suited(to: instrument))
    let meter = random.pick([Meter.fourFour, .threeFour, .sixEight].filter { style.figures[$0] != nil })
    let home = Tonality(tonic: random.int(0...11), mode: random.pick(style.modes))
    (self.instrument, self.style, self.meter, tonality) = (instrument, style, meter, home)
    tempo = random.uniform(style.tempo)
    baseVelocity = random.uniform(62...86)

    // Whole phrases: the tempo gives way a little so that they fill the time.
    let count = max(1, Int((seconds * tempo / Double(60 * 4 * meter.beats)).rounded()))
    let size = count >= 20 ? 4 : 2
    let letters = Self.form(visits: count / size, using: &random)
    var spare = count - letters.count * size
    var names: [String] = []
    let mayIntroduce = instrument.isPolyphonic && style.melody != nil && spare > 0 && letters.count > 1
    if mayIntroduce && random.chance(0.6) {
      phrases.append(Phrase(letter: 0, index: 0, visit: 0, isIntroduction: true))
      names.append("intro")
      spare -= 1
    }
    var visits = [0, 0, 0, 0]
    for letter in letters {
      phrases += (0..<size).map { Phrase(letter: letter, index: $0, visit: visits[letter]) }
      names.append(["A", "B", "C", "D"][letter] + String(repeating: "'", count: min(visits[letter], 2)))
      visits[letter] += 1
    }
    if spare > 0 {
      phrases += (size - spare..<size).map { Phrase(letter: 0, index: $0, visit: visits[0]) }
      names.append(letters.isEmpty ? "A" : "coda")
    }
    form = names.joined(separator: " ")
    sections = (0..<4).map {
      Self.section($0, size: size, home: home, meter: meter, style: style, seed: seed)
    }
  }

  /// Letters of so many sections: A first and last, never three times running.
  private static func form(visits: Int, using random: inout SeededGenerator) -> [Int] {
    var letters: [Int] = []
    while letters.count < visits {
      // Later rounds bring new middle sections, up to D.
      let later = letters.isEmpty ? 0 : random.int(0...1)
      letters += random.pick([[0, 0, 1, 0], [0, 1, 0, 2], [0, 0, 1, 1], [0, 1, 2, 0], [0, 1, 0, 1]])
        .map { $0 == 0 ? 0 : $0 + later }
    }
    letters = Array(letters.prefix(visits))
    if visits > 1 { letters[visits - 1] = 0 }
    for i in letters.indices.dropFirst(2) where letters[i - 2...i].allSatisfy({ $0 == 0 }) {
      letters[i - 1] = 1
    }
    return letters
  }

  private static func section(
    _ letter: Int, size: Int, home: Tonality, meter: Meter, style: Style, seed: UInt64
  )
    -> Section
  {
    var random = SeededGenerator(seed: seed, path: 2, letter)
    let tonality = letter > 0 && random.chance(0.7) ? random.pick(home.neighbours) : home
    let open = random.shuffled(tonality.mode.openProgressions)
    let closed = random.pick(tonality.mode.closedProgressions)
    var density = style.melody ?? .moderate
    if letter > 0, random.chance(0.4) { density = density.contrast(using: &random) }
    return Section(
      letter: letter, tonality: tonality,
      progressions: size == 2 ? [open[0], closed] : [open[0], closed, open[1], closed],
      motifs: [Motif(density, meter, using: &random), Motif(density, meter, using: &random)],
      melodyPlan: random.pick(MelodyWriter.plans),
      figures: random.shuffled((style.figures[meter] ?? "").split(separator: " ").map(String.init)),
      level: letter == 0 ? 0 : random.uniform(-9...10), lift: letter == 0 ? 0 : random.int(-3...5))
  }
}
