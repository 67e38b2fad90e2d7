/// Plays written parts: time, dynamics, articulation, pedal and expression.
struct Performer: Sendable {
  var plan: Plan
  var seed: UInt64

  private struct Draft {
    var tick: Int
    var length: Int
    var key: Int
    /// Added to the base velocity.
    var weight: Double
    var gate: Double
    var isMelody: Bool
    /// Seconds later than written.
    var delay = 0.0
  }

  func perform(_ parts: Parts, seconds: Double) -> Score {
    var random = SeededGenerator(seed: seed, path: 6)
    let clock = Clock(plan: plan, finalTick: parts.finalTick, seconds: seconds, using: &random)
    let drafts = self.drafts(of: parts, using: &random)
    var notes = drafts.map { sound($0, clock: clock, finalTick: parts.finalTick, using: &random) }
    notes.sort { ($0.onset, $0.key) < ($1.onset, $1.key) }
    notes = untangled(notes)
    var score = Score(
      instrument: plan.instrument, notes: notes, controls: [], tonic: plan.tonality.name,
      mode: plan.tonality.mode.rawValue, tempo: (clock.tempo * 10).rounded() / 10, meter: plan.meter.rawValue,
      style: plan.style.name, form: plan.form, caption: "")
    score.controls = controls(for: score, parts: parts, clock: clock, using: &random)
    score.caption = caption(for: score)
    return score
  }

  // MARK: - Notes

  private func drafts(of parts: Parts, using random: inout SeededGenerator) -> [Draft] {
    let style = plan.style
    let instrument = plan.instrument
    var drafts: [Draft] = []
    for (number, phrase) in plan.phrases.enumerated() {
      let section = plan.sections[phrase.letter]
      let start = number * plan.phraseTicks
      let level =
        section.level + (phrase.visit > 0 ? random.uniform(-5...5) : 0) - (phrase.isIntroduction ? 5 : 0)
      let shape = { (tick: Int) -> Double in
        // A phrase swells towards its third bar and falls away: a parabola with its peak at 0.6.
        let x = Double(tick - start) / Double(plan.phraseTicks)
        let d = x < 0.6 ? (0.6 - x) / 0.6 : (x - 0.6) / 0.4
        let beat =
          (tick - start) % plan.meter.bar == 0 ? 5.0 : (tick - start) % plan.meter.beat == 0 ? 2.0 : -2.0
        return level + 9 * (1 - d * d) - 4 + beat
      }
      let melody = parts.melodies[number]
      for note in melody.notes {
        let gate = note.endsPhrase ? 0.85 : note.length <= 12 ? min(style.gate, 0.95) : style.gate
        drafts.append(
          Draft(
            tick: note.tick, length: note.length, key: note.key, weight: shape(note.tick) + 8, gate: gate,
            isMelody: true))
        if melody.isDoubled, note.length >= 12, note.tick % plan.meter.beat == 0 {
          let second = note.chord.tone(nearest: note.step - 2, direction: -1)
          drafts.append(
            Draft(
              tick: note.tick, length: note.length, key: note.chord.key(step: second),
              weight: shape(note.tick) - 2,
              gate: gate, isMelody: true))
        }
      }
      let isAlone = style.melody == nil
      for note in parts.accompaniment[number] {
        var draft = Draft(
          tick: note.tick, length: note.length, key: note.key,
          weight: shape(note.tick) + (isAlone ? 3 : note.isBass ? -7 : -13),
          gate: instrument.isPolyphonic ? 0.98 : style.gate,
          isMelody: false)
        // Plucked chords are strummed, others spread a little.
        let strum = instrument.texture == .plucked || instrument.program == 46 ? 0.018 : 0.004
        draft.delay = Double(note.place) * strum
        if style.name == "march" || style.name == "ragtime" { draft.gate = 0.6 }
        drafts.append(draft)
      }
    }
    return drafts.sorted { ($0.tick, $0.key, $0.isMelody ? 0 : 1) < ($1.tick, $1.key, $1.isMelody ? 0 : 1) }
  }

  private func sound(_ draft: Draft, clock: Clock, finalTick: Int, using random: inout SeededGenerator)
    -> Score.Note
  {
    let jitter = max(-0.014, min(0.014, random.bell() * (plan.style.rubato == 0 ? 0.003 : 0.006)))
    let onset = max(0, clock.seconds(draft.tick) + jitter + draft.delay - (draft.isMelody ? 0.004 : 0))
    let written = clock.seconds(draft.tick + draft.length) - clock.seconds(draft.tick)
    let isFinal = draft.tick >= finalTick
    let length = isFinal ? clock.end - onset : max(0.06, written * draft.gate)
    let velocity = plan.baseVelocity + draft.weight + random.bell() * 3 - (isFinal ? 6 : 0)
    var key = draft.key
    while key > plan.instrument.range.upperBound { key -= 12 }
    while key < plan.instrument.range.lowerBound { key += 12 }
    return Score.Note(
      onset: onset, duration: length, key: key, velocity: Int(max(30, min(118, velocity))))
  }

  /// No key twice at once; for one voice, no overlap.
  private func untangled(_ notes: [Score.Note]) -> [Score.Note] {
    let gap = 0.006
    let shortest = 0.03
    var result: [Score.Note] = []
    var latest: [Int: Int] = [:]
    for note in notes {
      let voice = plan.instrument.isPolyphonic ? note.key : 0
      if let before = latest[voice] {
        if note.onset - result[before].onset < shortest + gap {
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
    return rolled(result)
  }

  /// Wooden bars and muted strings do not ring: their long notes are struck again, as players do.
  private func rolled(_ notes: [Score.Note]) -> [Score.Note] {
    guard [12, 13, 28, 45].contains(plan.instrument.program) else { return notes }
    return notes.flatMap { note -> [Score.Note] in
      guard note.duration > 0.9 else { return [note] }
      let count = max(2, Int(note.duration / 0.14))
      let step = note.duration / Double(count)
      return (0..<count).map { i in
        let soft = i == 0 ? 0 : 14 - 6 * i / count
        return Score.Note(
          onset: note.onset + Double(i) * step, duration: step * 0.9, key: note.key,
          velocity: max(24, note.velocity - soft))
      }
    }.sorted { ($0.onset, $0.key) < ($1.onset, $1.key) }
  }

  // MARK: - Controllers

  private func controls(for score: Score, parts: Parts, clock: Clock, using random: inout SeededGenerator)
    -> [Score.Control]
  {
    let instrument = plan.instrument
    let pan = instrument.isPolyphonic ? 64 : random.int(52...76)
    var controls = [
      Score.Control(time: 0, controller: 7, value: 100), Score.Control(time: 0, controller: 10, value: pan),
      Score.Control(time: 0, controller: 11, value: instrument.isSustained ? 96 : 127),
    ]
    if instrument.hasPedal && plan.style.pedal {
      // Up as the chord changes, down just after it, so that harmonies do not run into each other.
      for chord in parts.chords.joined() where chord.start <= parts.finalTick {
        let time = clock.seconds(chord.start)
        if chord.start > 0 { controls.append(Score.Control(time: time, controller: 64, value: 0)) }
        controls.append(Score.Control(time: time + 0.08, controller: 64, value: 127))
      }
      controls.append(Score.Control(time: score.duration + 0.1, controller: 64, value: 0))
    }
    if instrument.isSustained { controls += expression(score, clock: clock) }
    if instrument.texture == .solo { controls += vibrato(score) }
    return controls.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(
      \.element)
  }

  /// Phrases swell and fall (CC 11).
  private func expression(_ score: Score, clock: Clock) -> [Score.Control] {
    var result: [Score.Control] = []
    var last = -1
    let step = 0.06
    let peak = plan.instrument.texture == .organ ? 14.0 : 30.0
    for number in plan.phrases.indices {
      let start = clock.seconds(number * plan.phraseTicks)
      let end = number == plan.phrases.count - 1 ? clock.end : clock.seconds((number + 1) * plan.phraseTicks)
      var time = start
      while time < end {
        let x = (time - start) / (end - start)
        let d = x < 0.62 ? (0.62 - x) / 0.62 : (x - 0.62) / 0.38
        let value = Int(118 - peak * d * d)
        if value != last { result.append(Score.Control(time: time, controller: 11, value: value)) }
        last = value
        time += step
      }
    }
    return result
  }

  /// Long notes of one voice warm up (CC 1).
  private func vibrato(_ score: Score) -> [Score.Control] {
    let depth = ["strings", "reed", "pipe"].contains(plan.instrument.family) ? 34.0 : 18.0
    return score.notes.filter { $0.duration > 0.55 }.flatMap { note -> [Score.Control] in
      let ramp = (1...5).map { i in
        Score.Control(
          time: note.onset + 0.2 + Double(i) * 0.05, controller: 1, value: Int(depth * Double(i) / 5))
      }
      return ramp + [Score.Control(time: note.end, controller: 1, value: 0)]
    }
  }
}

/// From ticks to seconds: swing, phrases that breathe, and a slowing end.
struct Clock: Sendable {
  private var times: [Double] = []
  private let swing: Double
  private let beat: Int
  private let lead = 0.03
  /// Seconds at which everything is released.
  let end: Double
  /// Beats per minute where the tempo neither gives nor takes.
  let tempo: Double

  init(plan: Plan, finalTick: Int, seconds: Double, using random: inout SeededGenerator) {
    swing = plan.style.swing
    beat = plan.meter.beat
    let slotsInBar = plan.meter.bar / Tick.sixteenth
    let slots = finalTick / Tick.sixteenth
    var time = 0.0
    times.append(0)
    var drift = 1.0
    for slot in 0..<slots {
      let bar = slot / slotsInBar
      if slot % slotsInBar == 0 { drift = 1 + random.bell() * (plan.style.rubato == 0 ? 0.002 : 0.007) }
      // Phrases begin and end a little slower than they run.
      let x = Double((bar % 4) * slotsInBar + slot % slotsInBar) / Double(4 * slotsInBar)
      var factor = drift * (1 + plan.style.rubato * ((2 * x - 1) * (2 * x - 1) * 1.5 - 0.5))
      if plan.style.rubato > 0, x > 0.9 { factor *= 1 + plan.style.rubato }
      let left = Double(slots - slot) / Double(slotsInBar)
      if left < 1 { factor *= 1 + 0.45 * (1 - left) * (1 - left) }
      time += factor
      times.append(time)
    }
    let slotsInBeat = Double(plan.meter.beat / Tick.sixteenth)
    // The last chord lasts a bar, within reason.
    let nominal = 60 / plan.tempo / slotsInBeat
    let longest = plan.instrument.isSustained ? 3.2 : plan.instrument.hasPedal ? 3 : 1.8
    let held = min(longest, Double(slotsInBar) * nominal)
    let scale = max(0.02, (seconds - held - 0.03) / max(1, time))
    times = times.map { $0 * scale }
    tempo = 60 / (scale * slotsInBeat)
    end = seconds
    // Beyond the closing chord time goes on evenly, for whoever asks.
    for _ in 0...(slotsInBar * 2) { times.append((times.last ?? 0) + scale) }
  }

  func seconds(_ tick: Int) -> Double {
    var position = Double(tick)
    if swing != 0.5, beat == Tick.quarter {
      let within = Double(tick % beat) / Double(beat)
      let swung = within < 0.5 ? within * 2 * swing : swing + (within - 0.5) * 2 * (1 - swing)
      position = Double(tick - tick % beat) + swung * Double(beat)
    }
    let slot = position / Double(Tick.sixteenth)
    let index = min(times.count - 2, Int(slot))
    return lead + times[index] + (times[index + 1] - times[index]) * (slot - Double(index))
  }
}
