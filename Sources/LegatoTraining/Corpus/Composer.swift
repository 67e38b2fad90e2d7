/// Composes and performs pieces for one instrument, from a seed and nothing else.
///
/// A piece keeps one style. Its sections have their own progressions and motifs, and come back varied:
/// A A' B A'' C A''. Phrases of four bars answer each other, open then closed.
public struct Composer: Sendable {
  /// Goes up whenever the same seed would give other notes than before.
  public static let version = 1

  public let instrument: Instrument
  public let seed: UInt64

  public init(instrument: Instrument, seed: UInt64) {
    self.instrument = instrument
    self.seed = seed
  }

  /// A piece whose last note ends after `seconds` (at least 5).
  public func compose(seconds: Double) -> Score {
    let seconds = max(5, seconds)
    let plan = Plan(instrument: instrument, seed: seed, seconds: seconds)
    return Performer(plan: plan, seed: seed).perform(write(plan), seconds: seconds)
  }
}

/// The written notes of a phrase, before anyone plays them.
struct WrittenPhrase: Sendable {
  var chords: [Chord]
  var melody: [MelodyNote] = []
  /// Whether a second voice goes a third or sixth below.
  var isDoubled = false
  var accompaniment: [Accompanist.Note] = []
}

extension Composer {
  func write(_ plan: Plan) -> [WrittenPhrase] {
    let style = plan.style
    let range = instrument.range
    let span = range.count - 1
    // Melodies of one voice move about its middle; above an accompaniment they keep to two octaves.
    let hasBoth = instrument.isPolyphonic && style.melody != nil
    let low = range.lowerBound + (hasBoth ? span * 52 / 100 : 0)
    let center =
      low + min(24, range.upperBound - low) * (hasBoth ? 38 : 0) / 100 + (hasBoth ? 0 : span * 48 / 100)
    let window = max(low, center - 14)...min(range.upperBound, center + 15)
    var accompanist = accompanist(for: plan, below: low)

    return plan.phrases.enumerated().map { number, phrase in
      let section = plan.sections[phrase.letter]
      let isLast = number == plan.phrases.count - 1
      // Whatever comes last ends at home.
      let progression = isLast ? plan.sections[0].progressions[1] : section.progressions[phrase.index]
      var written = WrittenPhrase(
        chords: Chord.progression(
          progression, in: isLast ? plan.tonality : section.tonality, meter: plan.meter,
          start: number * plan.phraseTicks))
      let final = number * plan.phraseTicks + 3 * plan.meter.bar
      if style.melody != nil && !phrase.isIntroduction {
        let writer = MelodyWriter(
          meter: plan.meter, motifs: section.motifs, plan: section.melodyPlan, window: window,
          center: max(
            window.lowerBound, min(window.upperBound, center + section.lift + (phrase.index == 2 ? 3 : 0))))
        // The same path at every visit, so that what returns is the same tune. The third phrase of a long
        // section contrasts; the others begin alike.
        var random = SeededGenerator(seed: seed, path: 5, section.letter, phrase.index == 2 ? 1 : 0)
        let pickup = random.chance(hasBoth ? 0.3 : 0.6) && !isLast
        written.melody = writer.phrase(
          written.chords, closed: isLast || phrase.index % 2 == 1, pickup: pickup, using: &random)
        if phrase.visit > 0 { vary(&written, phrase: phrase, window: window) }
        if isLast { close(&written.melody, at: final, chord: written.chords.last, plan: plan) }
      }
      if !section.figures.isEmpty {
        written.accompaniment = accompanist.play(
          section.figures[phrase.visit % section.figures.count], over: written.chords)
        if isLast || (!instrument.isPolyphonic && phrase.index % 2 == 1 && instrument.texture != .bass) {
          settle(&written, at: final, isLast: isLast, plan: plan, accompanist: &accompanist)
        }
      }
      return written
    }
  }

  private func accompanist(for plan: Plan, below melody: Int) -> Accompanist {
    let range = instrument.range
    let span = range.count - 1
    let chordLow = range.lowerBound + span * (instrument.isPolyphonic ? 20 : 15) / 100
    let chordHigh = plan.style.melody == nil ? min(range.upperBound - 10, chordLow + 30) : melody + 1
    return Accompanist(
      meter: plan.meter, spacing: plan.style.spacing,
      bassWindow: range.lowerBound...range.lowerBound + max(12, span * 22 / 100),
      chordWindow: chordLow...max(chordLow + 12, chordHigh),
      ring: instrument.isPolyphonic && !instrument.isSustained && !instrument.isDry
        && (plan.style.pedal || plan.style.spacing == .wide))
  }

  /// One treatment for a whole visit of a section, so that it is heard as one variation.
  private func vary(_ written: inout WrittenPhrase, phrase: Plan.Phrase, window: ClosedRange<Int>) {
    var random = SeededGenerator(seed: seed, path: 4, phrase.letter, phrase.visit)
    let variation = random.pick(Variation.allCases)
    let isVaried = random.chance(0.75)
    written.isDoubled = instrument.isPolyphonic && instrument.texture != .ensemble && random.chance(0.3)
    if isVaried { written.melody = variation.apply(written.melody, window: window, using: &random) }
  }

  /// The closing chord has one note of melody, the tonic.
  private func close(_ melody: inout [MelodyNote], at tick: Int, chord: Chord?, plan: Plan) {
    guard let chord, let end = melody.last(where: \.endsPhrase) else { return }
    melody.removeAll { $0.tick >= tick }
    if let last = melody.indices.last {
      melody[last].length = min(melody[last].length, tick - melody[last].tick)
    }
    melody.append(
      MelodyNote(tick: tick, length: plan.meter.bar, step: end.step, chord: chord, endsPhrase: true))
  }

  /// Figures come to rest in the last bar: on the closing chord, or, in the course of a piece for one voice,
  /// on a note in its second half.
  private func settle(
    _ written: inout WrittenPhrase, at bar: Int, isLast: Bool, plan: Plan, accompanist: inout Accompanist
  ) {
    let tick = isLast ? bar : bar + (plan.meter == .threeFour ? 48 : plan.meter.bar / 2)
    written.accompaniment.removeAll { $0.tick >= tick }
    for i in written.accompaniment.indices {
      written.accompaniment[i].length = min(
        written.accompaniment[i].length, tick - written.accompaniment[i].tick)
    }
    guard let chord = written.chords.last else { return }
    if instrument.isPolyphonic {
      written.accompaniment += accompanist.chord(chord, length: plan.meter.bar)
    } else {
      // The root, in the octave where the voice was.
      let near = written.accompaniment.last?.key ?? instrument.range.lowerBound
      let root = instrument.range.filter { $0 % 12 == chord.pitchClasses[0] }.min {
        abs($0 - near) < abs($1 - near)
      }
      written.accompaniment.append(
        Accompanist.Note(tick: tick, length: bar + plan.meter.bar - tick, key: root ?? near))
    }
  }
}
