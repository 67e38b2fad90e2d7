/// What is decided before the first note.
struct Plan: Sendable {
  struct Section: Sendable {
    var tonality: Tonality
    /// Progressions, one a phrase, and figures, one a visit.
    var progressions, figures: [Substring]
    var motifs: [Motif]
    var melodyPlan: String
    /// Added to velocities, and to the centre of the melody, in semitones.
    var level: Double
    var lift: Int
  }

  /// Four bars.
  struct Phrase: Sendable {
    /// Letter of its section (0 = A), place in it, and how often the section has come before.
    var letter, index, visit: Int
    var isIntroduction = false
  }

  let instrument: Instrument
  let seed: UInt64
  let style: Manner
  let meter: Meter
  let tonality: Tonality
  /// The tempo is in beats per minute, before it is fitted to the length.
  let tempo, baseVelocity: Double
  private(set) var sections: [Section] = []
  private(set) var phrases: [Phrase] = []
  private(set) var form = ""

  /// Length of a phrase, and where the closing chord begins.
  var phraseTicks: Int { 4 * meter.bar }
  var finalTick: Int { phrases.count * phraseTicks - meter.bar }

  init(instrument: Instrument, seed: UInt64, seconds: Double) {
    var random = SeededGenerator(seed: seed, path: 1)
    (self.instrument, self.seed) = (instrument, seed)
    let style = random.pick(Manner.suited(to: instrument))
    self.style = style
    meter = random.pick([Meter.fourFour, .threeFour, .sixEight].filter { style.figures[$0] != nil })
    tonality = Tonality(tonic: random.int(0...11), mode: random.pick(style.modes))
    tempo = random.uniform(style.tempo)
    baseVelocity = random.uniform(62...86)

    // Whole phrases: the tempo gives way a little so that they fill the time.
    let count = max(1, Int((seconds * tempo / Double(60 * phraseTicks / meter.beat)).rounded()))
    let size = count >= 20 ? 4 : 2
    let letters = Self.form(visits: count / size, using: &random)
    var spare = count - letters.count * size
    var names: [String] = []
    let hasBoth = instrument.isPolyphonic && style.melody != nil
    if hasBoth, spare > 0, letters.count > 1, random.chance(0.6) {
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
    sections = (0..<4).map { section($0, size: size) }
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
    for i in letters.indices.dropFirst(2) where letters[i - 2...i] == [0, 0, 0] { letters[i - 1] = 1 }
    return letters
  }

  private func section(_ letter: Int, size: Int) -> Section {
    var random = SeededGenerator(seed: seed, path: 2, letter)
    let key = letter > 0 && random.chance(0.7) ? random.pick(tonality.neighbours) : tonality
    let open = random.shuffled(key.mode.openProgressions)
    let closed = random.pick(key.mode.closedProgressions)
    var density = style.melody ?? .moderate
    if letter > 0, random.chance(0.4) { density = density.contrast(using: &random) }
    let motifs = [Motif(density, meter, using: &random), Motif(density, meter, using: &random)]
    let melodyPlan = random.pick(MelodyWriter.plans)
    return Section(
      tonality: key, progressions: Array([open[0], closed, open[1], closed].prefix(size)),
      figures: random.shuffled(style.figures[meter] ?? []), motifs: motifs, melodyPlan: melodyPlan,
      level: letter == 0 ? 0 : random.uniform(-9...10), lift: letter == 0 ? 0 : random.int(-3...5))
  }
}
