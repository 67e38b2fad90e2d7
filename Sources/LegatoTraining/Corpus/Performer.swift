/// Plays written phrases: time, dynamics, articulation, pedal and expression.
struct Performer: Sendable {
  var plan: Plan
  var seed: UInt64

  private struct Draft {
    var tick: Int
    var length: Int
    var key: Int
    /// Added to the base velocity.
    var weight: Double
    /// Share of its length that the note sounds.
    var gate: Double
    /// Seconds later than written.
    var delay = 0.0
  }

  func perform(_ phrases: [WrittenPhrase], seconds: Double) -> Score {
    var random = SeededGenerator(seed: seed, path: 6)
    let clock = Clock(plan: plan, seconds: seconds, using: &random)
    var notes: [Score.Note] = []
    for (number, phrase) in phrases.enumerated() {
      let drafts = self.drafts(of: phrase, number: number, using: &random)
      notes += drafts.map { sound($0, clock: clock, using: &random) }
    }
    notes = rolled(untangled(notes.sorted { ($0.onset, $0.key) < ($1.onset, $1.key) }))
    var score = Score(
      instrument: plan.instrument, notes: notes, controls: [], tonic: plan.tonality.name,
      mode: plan.tonality.mode.rawValue, tempo: (clock.tempo * 10).rounded() / 10, meter: plan.meter.rawValue,
      style: plan.style.name, form: plan.form, caption: "")
    score.controls = controls(for: score, phrases: phrases, clock: clock, using: &random)
    score.caption = caption(for: score)
    return score
  }

  // MARK: - Notes

  private func drafts(of phrase: WrittenPhrase, number: Int, using random: inout SeededGenerator) -> [Draft] {
    let style = plan.style
    let instrument = plan.instrument
    let place = plan.phrases[number]
    let start = number * plan.phraseTicks
    let level =
      plan.sections[place.letter].level + (place.visit > 0 ? random.uniform(-5...5) : 0)
      - (place.isIntroduction ? 5 : 0)
    func shape(_ tick: Int) -> Double {
      // A phrase swells towards its third bar and falls away: two parabolas that meet at 0.6.
      let x = Double(tick - start) / Double(plan.phraseTicks)
      let d = x < 0.6 ? (0.6 - x) / 0.6 : (x - 0.6) / 0.4
      let accent = (tick - start) % plan.meter.bar == 0 ? 5.0 : (tick - start) % plan.meter.beat == 0 ? 2 : -2
      return level + 5 - 9 * d * d + accent
    }
    var drafts: [Draft] = []
    for note in phrase.melody {
      let gate =
        note.endsPhrase ? (instrument.breathes ? 0.8 : 0.9) : min(style.gate, note.length > 12 ? 1 : 0.95)
      var draft = Draft(
        tick: note.tick, length: note.length, key: note.key, weight: shape(note.tick) + 8, gate: gate,
        delay: -0.004)
      drafts.append(draft)
      if phrase.isDoubled, note.length >= 12, note.tick % plan.meter.beat == 0 {
        draft.key = note.chord.key(step: note.chord.tone(nearest: note.step - 2, direction: -1))
        draft.weight -= 10
        drafts.append(draft)
      }
    }
    let isShort = style.name == "march" || style.name == "ragtime"
    for note in phrase.accompaniment {
      drafts.append(
        Draft(
          tick: note.tick, length: note.length, key: note.key,
          weight: shape(note.tick) + (style.melody == nil ? 3 : note.isBass ? -7 : -13),
          gate: isShort ? 0.6 : instrument.isPolyphonic ? 0.98 : style.gate,
          // Plucked chords are strummed, others spread a little.
          delay: Double(note.place)
            * (instrument.texture == .plucked || instrument.program == 46 ? 0.018 : 0.004)))
    }
    return drafts.enumerated().sorted { ($0.element.tick, $0.offset) < ($1.element.tick, $1.offset) }.map(
      \.element)
  }

  private func sound(_ draft: Draft, clock: Clock, using random: inout SeededGenerator) -> Score.Note {
    let jitter = max(-0.014, min(0.014, random.bell() * (plan.style.rubato == 0 ? 0.003 : 0.006)))
    let onset = max(0, clock.seconds(draft.tick) + jitter + draft.delay)
    let written = clock.seconds(draft.tick + draft.length) - clock.seconds(draft.tick)
    let isFinal = draft.tick >= plan.finalTick
    let velocity = plan.baseVelocity + draft.weight + random.bell() * 3 - (isFinal ? 6 : 0)
    var key = draft.key
    while key > plan.instrument.range.upperBound { key -= 12 }
    while key < plan.instrument.range.lowerBound { key += 12 }
    return Score.Note(
      onset: onset, duration: isFinal ? clock.end - onset : max(0.06, written * draft.gate), key: key,
      velocity: Int(max(30, min(118, velocity))))
  }

  /// No key twice at once; for one voice, no overlap.
  private func untangled(_ notes: [Score.Note]) -> [Score.Note] {
    let gap = 0.006
    var result: [Score.Note] = []
    var latest: [Int: Int] = [:]
    for note in notes {
      let voice = plan.instrument.isPolyphonic ? note.key : 0
      if let before = latest[voice] {
        if note.onset - result[before].onset < 0.036 {
          // Struck together: the louder one is heard.
          result[before].velocity = max(result[before].velocity, note.velocity)
          result[before].duration = max(result[before].duration, note.duration)
          continue
        }
        result[before].duration = min(result[before].duration, note.onset - gap - result[before].onset)
      }
      latest[voice] = result.count
      result.append(note)
    }
    return result
  }

  /// What hardly rings is struck again during long notes, as players do.
  private func rolled(_ notes: [Score.Note]) -> [Score.Note] {
    guard plan.instrument.isDry else { return notes }
    return notes.flatMap { note -> [Score.Note] in
      let count = note.duration > 0.9 ? Int(note.duration / 0.14) : 1
      let step = note.duration / Double(count)
      return (0..<count).map { i in
        let softer = i == 0 ? 0 : 14 - 6 * i / count
        return Score.Note(
          onset: note.onset + Double(i) * step, duration: count == 1 ? step : step * 0.9, key: note.key,
          velocity: max(24, note.velocity - softer))
      }
    }.sorted { ($0.onset, $0.key) < ($1.onset, $1.key) }
  }

  // MARK: - Controllers

  private func controls(
    for score: Score, phrases: [WrittenPhrase], clock: Clock, using random: inout SeededGenerator
  ) -> [Score.Control] {
    let instrument = plan.instrument
    var controls: [Score.Control] = []
    func set(_ controller: Int, _ value: Int, at time: Double) {
      controls.append(Score.Control(time: time, controller: controller, value: value))
    }
    set(7, 100, at: 0)
    set(10, instrument.isPolyphonic ? 64 : random.int(52...76), at: 0)
    if instrument.hasPedal && plan.style.pedal {
      // Up as the chord changes, down just after it, so that harmonies do not run into each other.
      for chord in phrases.flatMap(\.chords) where chord.start <= plan.finalTick {
        let time = clock.seconds(chord.start)
        set(64, 0, at: time)
        set(64, 127, at: time + 0.08)
      }
      set(64, 0, at: score.duration + 0.1)
    }
    if instrument.isSustained {
      // Phrases swell and fall.
      let depth = instrument.texture == .organ ? 14.0 : 30.0
      for number in phrases.indices {
        let start = clock.seconds(number * plan.phraseTicks)
        let end = min(clock.end, clock.seconds((number + 1) * plan.phraseTicks))
        for i in 0..<64 {
          let x = Double(i) / 64
          let d = x < 0.62 ? (0.62 - x) / 0.62 : (x - 0.62) / 0.38
          set(11, Int(118 - depth * d * d), at: start + (end - start) * x)
        }
      }
    }
    if instrument.texture == .solo {
      // Long notes warm up: vibrato.
      let depth = ["strings", "reed", "pipe"].contains(instrument.family) ? 7 : 4
      for note in score.notes where note.duration > 0.55 {
        for i in 1...5 { set(1, depth * i, at: note.onset + 0.2 + Double(i) * 0.05) }
        set(1, 0, at: note.end)
      }
    }
    return controls.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(
      \.element)
  }
}
