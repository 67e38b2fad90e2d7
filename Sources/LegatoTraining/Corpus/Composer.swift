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
    var performer = Performer(plan, seconds: seconds)
    return performer.perform(write(plan))
  }
}

/// The written notes of a phrase, before anyone plays them.
struct WrittenPhrase: Sendable {
  let chords: [Chord]
  var melody: [MelodyNote] = []
  /// Whether a second voice goes a third or sixth below.
  var isDoubled = false
  var accompaniment: [Accompanist.Note] = []
}

extension Composer {
  func write(_ plan: Plan) -> [WrittenPhrase] {
    let (range, span) = (instrument.range, instrument.range.count - 1)
    // Melodies of one voice move about its middle; above an accompaniment they keep to two octaves.
    let hasBoth = instrument.isPolyphonic && plan.style.melody != nil
    let low = range.lowerBound + (hasBoth ? span * 52 / 100 : 0)
    let center = low + (hasBoth ? min(24, range.upperBound - low) * 38 : span * 48) / 100
    let window = max(low, center - 14)...min(range.upperBound, center + 15)
    var accompanist = Accompanist(plan, below: low)

    return plan.phrases.enumerated().map { number, phrase in
      let section = plan.sections[phrase.letter]
      let (isLast, isAnswer) = (number == plan.phrases.count - 1, phrase.index % 2 == 1)
      // Whatever comes last ends at home.
      let chords = Chord.progression(
        isLast ? plan.sections[0].progressions[1] : section.progressions[phrase.index],
        in: isLast ? plan.tonality : section.tonality, meter: plan.meter, start: number * plan.phraseTicks)
      let finalChord = chords[chords.count - 1]
      var written = WrittenPhrase(chords: chords)
      if plan.style.melody != nil && !phrase.isIntroduction {
        // The same path at every visit, so that what returns is the same tune. The third phrase of a long
        // section contrasts; the others begin alike.
        let isContrast = phrase.index == 2
        var random = SeededGenerator(seed: seed, path: 5, phrase.letter, isContrast ? 1 : 0)
        let pickup = random.chance(hasBoth ? 0.3 : 0.6) && !isLast
        let middle = center + section.lift + (isContrast ? 3 : 0)
        var writer = MelodyWriter(
          meter: plan.meter, section: section, chords: chords, window: window,
          center: max(window.lowerBound, min(window.upperBound, middle)), random: random)
        written.melody = writer.write(closed: isLast || isAnswer, pickup: pickup)
        if phrase.visit > 0 { vary(&written, phrase: phrase, window: window) }
        if isLast, let tonic = written.melody.last(where: \.endsPhrase)?.step {
          // The closing chord has one note of melody.
          written.melody.removeAll { $0.tick >= finalChord.start }
          written.melody.append(
            MelodyNote(
              tick: finalChord.start, length: finalChord.length, step: tonic, chord: finalChord,
              endsPhrase: true))
        }
      }
      if !section.figures.isEmpty {
        let figure = section.figures[phrase.visit % section.figures.count]
        written.accompaniment = accompanist.play(figure, over: chords)
        if isLast && instrument.isPolyphonic {
          // Figures come to rest on the closing chord.
          written.accompaniment.removeAll { $0.tick >= finalChord.start }
          written.accompaniment += accompanist.play("F", over: [finalChord])
        } else if isLast || (isAnswer && !instrument.isPolyphonic && instrument.texture != .bass) {
          rest(&written.accompaniment, on: finalChord, after: isLast ? 0 : plan.meter.half)
        }
      }
      return written
    }
  }

  /// One treatment for a whole visit of a section, so that it is heard as one variation.
  private func vary(_ written: inout WrittenPhrase, phrase: Plan.Phrase, window: ClosedRange<Int>) {
    var random = SeededGenerator(seed: seed, path: 4, phrase.letter, phrase.visit)
    let variation = random.pick(Variation.allCases)
    let isVaried = random.chance(0.75)
    written.isDoubled = instrument.isPolyphonic && instrument.texture != .ensemble && random.chance(0.3)
    if isVaried { written.melody = variation.apply(to: written.melody, window, &random) }
  }

  /// A figure for one voice rests, so many ticks after `chord` began, on its root nearest to where it was.
  private func rest(_ notes: inout [Accompanist.Note], on chord: Chord, after ticks: Int) {
    let tick = chord.start + ticks
    notes.removeAll { $0.tick >= tick }
    for i in notes.indices { notes[i].length = min(notes[i].length, tick - notes[i].tick) }
    let near = notes.last?.key ?? instrument.range.lowerBound
    let roots = instrument.range.filter { $0 % 12 == chord.pitchClasses[0] }
    let root = roots.min { abs($0 - near) < abs($1 - near) } ?? near
    notes.append(Accompanist.Note(tick: tick, length: chord.end - tick, key: root))
  }
}
