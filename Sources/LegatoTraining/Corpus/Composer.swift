/// Composes and performs pieces for one instrument, from a seed and nothing else.
///
/// A piece keeps one style. Its sections have their own progressions and motifs, and come back varied:
/// A A' B A C A''. Phrases of four bars answer each other, open then closed.
public struct Composer: Sendable {
  /// Goes up whenever the same seed would give other notes than before.
  public static let version = 1

  public let instrument: Instrument
  public let seed: UInt64

  public init(instrument: Instrument, seed: UInt64) {
    self.instrument = instrument
    self.seed = seed
  }

  /// A piece that ends, with its last note, after `seconds` of music (at least 5).
  public func compose(seconds: Double) -> Score {
    let plan = Plan(instrument: instrument, seed: seed, seconds: max(5, seconds))
    let parts = write(plan)
    return Performer(plan: plan, seed: seed).perform(parts, seconds: max(5, seconds))
  }
}

/// What is decided before the first note.
struct Plan: Sendable {
  struct Section: Sendable {
    /// 0 = A.
    var letter: Int
    var tonality: Tonality
    /// One progression a phrase.
    var progressions: [String]
    var motifs: [Motif]
    var melodyPlan: [[Character]]
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
  var phrases: [Phrase]
  var form: String

  var phraseTicks: Int { 4 * meter.bar }

  init(instrument: Instrument, seed: UInt64, seconds: Double) {
    var random = SeededGenerator(seed: seed, path: 1)
    self.instrument = instrument
    let style = random.pick(Style.suited(to: instrument))
    self.style = style
    let meter = random.pick([Meter.fourFour, .threeFour, .sixEight].filter { style.figures[$0] != nil })
    self.meter = meter
    tonality = Tonality(tonic: random.int(0...11), mode: random.pick(style.modes))
    tempo = random.uniform(style.tempo)
    baseVelocity = random.uniform(62...86)

    // Whole phrases: the tempo gives way a little so that they fill the time.
    let phraseSeconds = Double(4 * meter.beats) * 60 / tempo
    let count = max(1, Int((seconds / phraseSeconds).rounded()))
    let size = count >= 20 ? 4 : 2
    let visits = count / size
    var letters: [Int] = []
    let forms = [[0, 0, 1, 0], [0, 1, 0, 2], [0, 0, 1, 1], [0, 1, 2, 0], [0, 1, 0, 1]]
    while letters.count < visits {
      let form = random.pick(forms)
      // Later rounds bring new middle sections, up to D.
      letters += form.map { $0 == 0 ? 0 : min(3, $0 + (letters.isEmpty ? 0 : random.int(0...1))) }
    }
    letters = Array(letters.prefix(visits))
    if visits > 1 { letters[visits - 1] = 0 }

    var phrases: [Phrase] = []
    var spare = count - visits * size
    let mayIntroduce = instrument.isPolyphonic && style.melody != nil && spare > 0 && visits > 1
    if mayIntroduce && random.chance(0.6) {
      phrases.append(Phrase(letter: 0, index: 0, visit: 0, isIntroduction: true))
      spare -= 1
    }
    var seen: [Int: Int] = [:]
    var names: [String] = phrases.isEmpty ? [] : ["intro"]
    for letter in letters {
      let visit = seen[letter, default: 0]
      seen[letter] = visit + 1
      phrases += (0..<size).map { Phrase(letter: letter, index: $0, visit: visit) }
      names.append(
        String("ABCD"[String.Index(utf16Offset: letter, in: "ABCD")])
          + String(repeating: "'", count: min(visit, 2)))
    }
    if spare > 0 {
      phrases += (size - spare..<size).map { Phrase(letter: 0, index: $0, visit: seen[0, default: 0]) }
      names.append(visits == 0 ? "A" : "coda")
    }
    self.phrases = phrases
    form = names.joined(separator: " ")
    let home = tonality
    sections = (0..<4).map { letter in
      Self.section(letter, size: size, home: home, meter: meter, style: style, seed: seed)
    }
  }

  private static func section(
    _ letter: Int, size: Int, home: Tonality, meter: Meter, style: Style, seed: UInt64
  ) -> Section {
    var random = SeededGenerator(seed: seed, path: 2, letter)
    let moves = letter > 0 && random.chance(letter == 3 ? 0.4 : 0.75)
    let tonality = moves ? random.pick(home.neighbours) : home
    let open = random.shuffled(tonality.mode.openProgressions)
    let closed = random.shuffled(tonality.mode.closedProgressions)
    var density = style.melody ?? .moderate
    if letter > 0, random.chance(0.4) { density = random.chance(0.5) ? density.busier : density.calmer }
    var motifs: [Motif] = []
    for _ in 0..<2 {
      motifs.append(
        Motif(
          meter: meter, density: density, syncopated: style.isSyncopated, leaps: style.leaps, using: &random))
    }
    let figures = random.shuffled(style.figures[meter] ?? [])
    let plan = random.pick(MelodyWriter.plans).split(separator: " ").map(Array.init)
    return Section(
      letter: letter, tonality: tonality,
      progressions: size == 2 ? [open[0], closed[0]] : [open[0], closed[0], open[1], closed[0]],
      motifs: motifs, melodyPlan: plan, figures: figures,
      level: letter == 0 ? 0 : random.uniform(-9...10), lift: letter == 0 ? 0 : random.int(-3...5))
  }
}

/// The written notes of a piece, before anyone plays them.
struct Parts: Sendable {
  struct Melody: Sendable {
    var notes: [MelodyNote]
    /// A second voice a third or sixth below.
    var isDoubled: Bool
  }

  /// One element a phrase.
  var melodies: [Melody] = []
  var accompaniment: [[Accompanist.Note]] = []
  var chords: [[Chord]] = []
  var figures: [String] = []
  /// Tick of the closing chord; everything ends with it.
  var finalTick = 0
}

extension Composer {
  func write(_ plan: Plan) -> Parts {
    let range = instrument.range
    let span = range.count - 1
    let style = plan.style
    let hasBoth = instrument.isPolyphonic && style.melody != nil
    let melodyLow = hasBoth ? range.lowerBound + span * 52 / 100 : range.lowerBound
    let melodyWindow = melodyLow...range.upperBound
    let melodyCenter = melodyLow + (range.upperBound - melodyLow) * (hasBoth ? 36 : 48) / 100
    var accompanist = self.accompanist(for: plan, melodyLow: melodyLow)

    var parts = Parts()
    var choice = SeededGenerator(seed: seed, path: 3)
    for (number, phrase) in plan.phrases.enumerated() {
      let section = plan.sections[phrase.letter]
      let isLast = number == plan.phrases.count - 1
      let start = number * plan.phraseTicks
      let closed = isLast || phrase.index % 2 == 1
      let progression =
        isLast && section.letter != 0 || isLast && phrase.index % 2 == 0
        ? plan.sections[0].progressions[1] : section.progressions[phrase.index]
      let tonality = isLast ? plan.tonality : section.tonality
      let chords = Chord.progression(progression, in: tonality, meter: plan.meter, start: start)
      parts.chords.append(chords)
      if isLast { parts.finalTick = start + 3 * plan.meter.bar }

      var melody = Parts.Melody(notes: [], isDoubled: false)
      if style.melody != nil && !phrase.isIntroduction {
        melody.notes = self.melody(
          of: section, phrase: phrase, chords: chords, closed: closed, isLast: isLast, window: melodyWindow,
          center: melodyCenter, plan: plan)
        if phrase.visit > 0 {
          // One treatment for a whole visit of a section, so that it is heard as one variation.
          var random = SeededGenerator(seed: seed, path: 4, phrase.letter, phrase.visit)
          let variation = random.pick(Variation.allCases)
          if random.chance(0.75) {
            melody.notes = variation.apply(melody.notes, window: melodyWindow, using: &random)
          }
          melody.isDoubled = hasBoth && instrument.texture != .ensemble && random.chance(0.3)
        }
      }
      parts.melodies.append(melody)

      let figures = section.figures
      let figure =
        figures.isEmpty ? "" : figures[(phrase.visit + (choice.chance(0.15) ? 1 : 0)) % figures.count]
      parts.figures.append(figure)
      var notes = figure.isEmpty ? [] : accompanist.play(figure, over: chords, allowInversions: true)
      if isLast {
        notes = closing(notes, chords: chords, at: parts.finalTick, with: &accompanist, plan: plan)
      }
      if !hasBoth && closed && !isLast {
        notes = restful(notes, from: start + 3 * plan.meter.bar, plan: plan)
      }
      parts.accompaniment.append(notes)
    }
    return parts
  }

  private func accompanist(for plan: Plan, melodyLow: Int) -> Accompanist {
    let range = instrument.range
    let span = range.count - 1
    let rings =
      instrument.texture == .keyboard || instrument.texture == .plucked || instrument.texture == .mallet
    let bassTop = range.lowerBound + max(12, span * 22 / 100)
    let chordLow = range.lowerBound + span * 20 / 100
    let chordTop = plan.style.melody == nil ? min(range.upperBound - 9, chordLow + 30) : melodyLow + 1
    let chords =
      instrument.isPolyphonic
      ? chordLow...max(chordLow + 12, chordTop)
      : range.lowerBound + span * 15 / 100...max(range.lowerBound + 14, range.upperBound - 10)
    return Accompanist(
      meter: plan.meter, spacing: plan.style.spacing, bassWindow: range.lowerBound...bassTop,
      chordWindow: chords,
      ring: rings && (plan.style.pedal || plan.style.spacing == .wide))
  }

  /// The same seed path for every visit: a section that returns is the same tune.
  private func melody(
    of section: Plan.Section, phrase: Plan.Phrase, chords: [Chord], closed: Bool, isLast: Bool,
    window: ClosedRange<Int>, center: Int, plan: Plan
  ) -> [MelodyNote] {
    let center = max(window.lowerBound, min(window.upperBound, center + section.lift))
    let writer = MelodyWriter(
      meter: plan.meter, motifs: section.motifs, plan: section.melodyPlan, window: window, center: center)
    // The third phrase of a long section contrasts; the others begin alike.
    var random = SeededGenerator(seed: seed, path: 5, section.letter, phrase.index == 2 ? 1 : 0)
    let pickup = !isLast && random.chance(instrument.isPolyphonic ? 0.3 : 0.6)
    var cursor = center + (phrase.index == 2 ? 3 : 0)
    var notes = writer.phrase(chords, closed: closed, pickup: pickup, from: &cursor, using: &random)
    // The closing chord has one note of melody, the tonic.
    if isLast, let chord = chords.last, let end = notes.last(where: { $0.endsPhrase }) {
      let tick = start(of: chords) + 3 * plan.meter.bar
      notes.removeAll { $0.tick >= tick }
      notes.append(
        MelodyNote(tick: tick, length: plan.meter.bar, step: end.step, chord: chord, endsPhrase: true))
    }
    return notes
  }

  private func start(of chords: [Chord]) -> Int { chords.first?.start ?? 0 }

  private func closing(
    _ notes: [Accompanist.Note], chords: [Chord], at tick: Int, with accompanist: inout Accompanist,
    plan: Plan
  ) -> [Accompanist.Note] {
    guard let chord = chords.last else { return notes }
    var result = notes.filter { $0.tick < tick }
    for i in result.indices { result[i].length = min(result[i].length, tick - result[i].tick) }
    let last = accompanist.final(chord, length: plan.meter.bar)
    if instrument.isPolyphonic { return result + last }
    guard plan.style.melody == nil else { return result }
    // One voice ends on the root, in the octave where it was.
    let near = result.last?.key ?? instrument.range.lowerBound
    let root = instrument.range.filter { $0 % 12 == chord.pitchClasses[0] }
      .min { (abs($0 - near), $0) < (abs($1 - near), $1) }
    return result + [Accompanist.Note(tick: tick, length: plan.meter.bar, key: root ?? near)]
  }

  /// The last bar of a period whose figures are the music: half of it moves, then a note is held.
  private func restful(_ notes: [Accompanist.Note], from tick: Int, plan: Plan) -> [Accompanist.Note] {
    let middle = tick + (plan.meter == .threeFour ? 48 : plan.meter.bar / 2)
    guard instrument.texture != .bass, let last = notes.last(where: { $0.tick < middle && $0.tick >= tick })
    else {
      return notes
    }
    var result = notes.filter { $0.tick < middle || $0.tick >= tick + plan.meter.bar }
    let first = notes.first { $0.tick == tick } ?? last
    result.append(Accompanist.Note(tick: middle, length: plan.meter.bar - (middle - tick), key: first.key))
    return result
  }
}
