/// Plays written phrases: time, dynamics, articulation, pedal and expression.
struct Performer: Sendable {
  let plan: Plan
  private let clock: Clock
  private var random: SeededGenerator

  /// A written note, what is added to its velocity, the share of its length that sounds, its delay (s).
  private typealias Draft = (tick: Int, length: Int, key: Int, weight: Double, gate: Double, delay: Double)

  init(_ plan: Plan, seconds: Double) {
    self.plan = plan
    random = SeededGenerator(seed: plan.seed, path: 6)
    clock = Clock(plan, seconds: seconds, using: &random)
  }

  mutating func perform(_ phrases: [WrittenPhrase]) -> Score {
    var notes = phrases.enumerated().flatMap { drafts(of: $1, number: $0).map { sound($0) } }
    let isBefore = { (a: Score.Note, b: Score.Note) in (a.onset, a.key) < (b.onset, b.key) }
    notes = untangled(notes.sorted(by: isBefore))
    if plan.instrument.isDry { notes = notes.flatMap(rolled).sorted(by: isBefore) }
    var score = Score(
      instrument: plan.instrument, notes: notes, tonic: plan.tonality.name,
      mode: plan.tonality.mode.rawValue, meter: plan.meter.rawValue, tempo: (clock.tempo * 10).rounded() / 10,
      style: plan.style.name, form: plan.form)
    score.controls = controls(for: score, chords: phrases.flatMap(\.chords))
    score.caption = score.caption(for: plan)
    return score
  }

  /// How far below its `top` a swell is at `x` in 0...1: two parabolas, `depth` at either end.
  private func fall(_ depth: Double, at x: Double, from top: Double) -> Double {
    let distance = x < top ? (top - x) / top : (x - top) / (1 - top)
    return depth * distance * distance
  }

  private mutating func drafts(of phrase: WrittenPhrase, number: Int) -> [Draft] {
    let (style, instrument, place) = (plan.style, plan.instrument, plan.phrases[number])
    var level = plan.sections[place.letter].level + (place.visit > 0 ? random.uniform(-5...5) : 0)
    if place.isIntroduction { level -= 5 }
    func shape(_ tick: Int) -> Double {
      // A phrase swells towards its third bar and falls away.
      let x = Double(tick - number * plan.phraseTicks) / Double(plan.phraseTicks)
      let accent = tick % plan.meter.bar == 0 ? 5.0 : tick % plan.meter.beat == 0 ? 2 : -2
      return level + 5 - fall(9, at: x, from: 0.6) + accent
    }
    var drafts: [Draft] = []
    for note in phrase.melody {
      let held = min(style.gate, note.length > 12 ? 1 : 0.95)
      let gate = !note.endsPhrase ? held : instrument.breathes ? 0.8 : 0.9
      let weight = shape(note.tick) + 8
      drafts.append((note.tick, note.length, note.key, weight, gate, -0.004))
      if phrase.isDoubled, note.length >= 12, note.tick % plan.meter.beat == 0 {
        let key = note.chord.key(step: note.chord.tone(nearest: note.step - 2, direction: -1))
        drafts.append((note.tick, note.length, key, weight - 10, gate, -0.004))
      }
    }
    let isShort = style.name == "march" || style.name == "ragtime"
    let gate = isShort ? 0.6 : instrument.isPolyphonic ? 0.98 : style.gate
    // Plucked chords are strummed, others spread a little.
    let spread = instrument.texture == .plucked || instrument.program == 46 ? 0.018 : 0.004
    for note in phrase.accompaniment {
      let weight = shape(note.tick) + (style.melody == nil ? 3 : note.isBass ? -7 : -13)
      drafts.append((note.tick, note.length, note.key, weight, gate, Double(note.place) * spread))
    }
    return drafts.sorted { $0.tick < $1.tick }
  }

  private mutating func sound(_ draft: Draft) -> Score.Note {
    let jitter = max(-0.014, min(0.014, random.bell() * (plan.style.rubato == 0 ? 0.003 : 0.006)))
    let onset = max(0, clock.seconds(draft.tick) + jitter + draft.delay)
    let written = clock.seconds(draft.tick + draft.length) - clock.seconds(draft.tick)
    let isFinal = draft.tick >= plan.finalTick
    let velocity = plan.baseVelocity + draft.weight + random.bell() * 3 - (isFinal ? 6 : 0)
    return Score.Note(
      onset: onset, duration: isFinal ? clock.end - onset : max(0.06, written * draft.gate),
      key: plan.instrument.range.octave(of: draft.key), velocity: Int(max(30, min(118, velocity))))
  }

  /// No key twice at once; for one voice, no overlap.
  private func untangled(_ notes: [Score.Note]) -> [Score.Note] {
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
        result[before].duration = min(result[before].duration, note.onset - 0.006 - result[before].onset)
      }
      latest[voice] = result.count
      result.append(note)
    }
    return result
  }

  /// What hardly rings is struck again during long notes, as players do.
  private func rolled(_ note: Score.Note) -> [Score.Note] {
    guard note.duration > 0.9 else { return [note] }
    let count = Int(note.duration / 0.14)
    let step = note.duration / Double(count)
    return (0..<count).map { i in
      let velocity = max(24, note.velocity - (i == 0 ? 0 : 14 - 6 * i / count))
      let onset = note.onset + Double(i) * step
      return Score.Note(onset: onset, duration: step * 0.9, key: note.key, velocity: velocity)
    }
  }

  private mutating func controls(for score: Score, chords: [Chord]) -> [Score.Event] {
    let instrument = plan.instrument
    var events: [Score.Event] = []
    func set(_ controller: Int, _ value: Int, at time: Double) {
      events.append(Score.Event(time: time, action: .control(controller: controller, value: value)))
    }
    set(7, 100, at: 0)
    set(10, instrument.isPolyphonic ? 64 : random.int(52...76), at: 0)
    if instrument.hasPedal && plan.style.pedal {
      // Up as the chord changes, down just after it, so that harmonies do not run into each other.
      for time in chords.map({ clock.seconds($0.start) }) {
        set(64, 0, at: time)
        set(64, 127, at: time + 0.08)
      }
      set(64, 0, at: score.duration + 0.1)
    }
    if instrument.isSustained {
      // Phrases swell and fall.
      let depth = instrument.texture == .organ ? 14.0 : 30.0
      for number in plan.phrases.indices {
        let start = clock.seconds(number * plan.phraseTicks)
        let end = min(clock.end, clock.seconds((number + 1) * plan.phraseTicks))
        for x in stride(from: 0, to: 1, by: 1 / 64.0) {
          set(11, Int(118 - fall(depth, at: x, from: 0.62)), at: start + (end - start) * x)
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
    return events.sorted { $0.time < $1.time }
  }
}
