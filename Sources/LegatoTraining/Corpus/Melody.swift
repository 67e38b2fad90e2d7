/// One written note of a melody.
struct MelodyNote: Sendable {
  var tick: Int
  var length: Int
  /// Diatonic step in the scale of `chord`.
  var step: Int
  var chord: Chord
  /// Ends a phrase: the player takes a breath after it.
  var endsPhrase = false

  var end: Int { tick + length }
  var key: Int { chord.key(step: step) }
}

/// A bar of rhythm with the steps between its notes: what a listener recognises.
struct Motif: Sendable {
  var lengths: [Int]
  /// Diatonic steps from each note to the next; one fewer than `lengths`.
  var moves: [Int]

  init(meter: Meter, density: Density, syncopated: Bool, leaps: Bool, using random: inout SeededGenerator) {
    lengths = Rhythm.bar(meter, density, syncopated: syncopated, using: &random)
    let shape = random.int(0...4)
    let count = lengths.count
    moves = []
    var owed = 0
    for i in 0..<max(0, count - 1) {
      if owed != 0 {
        // A leap is answered by a step back.
        moves.append(owed)
        owed = 0
        continue
      }
      let late = 2 * i >= count - 1
      let direction =
        switch shape {
        case 0: 1
        case 1: -1
        case 2: late ? -1 : 1
        case 3: late ? 1 : -1
        default: i.isMultiple(of: 2) ? 1 : -1
        }
      let draw = random.unit()
      let size =
        leaps ? (draw < 0.3 ? 1 : draw < 0.85 ? 2 : 4) : draw < 0.62 ? 1 : draw < 0.8 ? 2 : draw < 0.9 ? 3 : 0
      moves.append(direction * size)
      if size >= 3 { owed = -direction }
    }
  }

  var inverted: Motif {
    var copy = self
    copy.moves = moves.map { -$0 }
    return copy
  }

  /// The same tune with its longest note split in two, the second of them a neighbour.
  var quickened: Motif {
    guard let i = lengths.indices.max(by: { (lengths[$0], -$0) < (lengths[$1], -$1) }), lengths[i] >= 24
    else {
      return self
    }
    var copy = self
    copy.lengths.replaceSubrange(i...i, with: [lengths[i] / 2, lengths[i] - lengths[i] / 2])
    let next = i < moves.count ? moves[i] : 0
    let first = next >= 0 ? 1 : -1
    if i < moves.count {
      copy.moves.replaceSubrange(i...i, with: [first, next - first])
    } else {
      copy.moves.append(first)
    }
    return copy
  }
}

/// Writes the melody of one phrase of four bars from two motifs.
struct MelodyWriter: Sendable {
  var meter: Meter
  var motifs: [Motif]
  /// Motif and treatment of the first three bars: "a", "b", capital = inverted, with `+` = quickened.
  var plan: [[Character]]
  /// MIDI keys.
  var window: ClosedRange<Int>
  var center: Int

  static let plans: [String] = ["a a b", "a b a", "a A b", "a a a+", "a b b", "a a+ b", "a b A"]

  func phrase(
    _ chords: [Chord], closed: Bool, pickup: Bool, from cursor: inout Int, using random: inout SeededGenerator
  ) -> [MelodyNote] {
    guard let first = chords.first else { return [] }
    var notes: [MelodyNote] = []
    let arch = random.pick([[0, 1, 3], [2, 3, 1], [0, 2, 4], [3, 1, 2], [1, 0, 3]])
    for (bar, treatment) in plan.enumerated() {
      var motif = motifs[treatment.contains("a") || treatment.contains("A") ? 0 : 1]
      if treatment.contains("A") || treatment.contains("B") { motif = motif.inverted }
      if treatment.contains("+") { motif = motif.quickened }
      let start = first.start + bar * meter.bar
      let goal = chord(at: start, in: chords).step(nearest: center) + arch[bar]
      let from = chord(at: start, in: chords).step(nearest: cursor)
      // Go towards the phrase's arch, but never by more than a fifth.
      let step = max(from - 4, min(from + 4, goal))
      lay(motif, at: start, step: step, over: chords, into: &notes, cursor: &cursor)
    }
    cadence(
      at: first.start + 3 * meter.bar, over: chords, closed: closed, pickup: pickup, into: &notes,
      cursor: &cursor,
      using: &random)
    return notes
  }

  private func chord(at tick: Int, in chords: [Chord]) -> Chord {
    chords.last { $0.start <= tick } ?? chords[0]
  }

  private func lay(
    _ motif: Motif, at start: Int, step: Int, over chords: [Chord], into notes: inout [MelodyNote],
    cursor: inout Int
  ) {
    var tick = start
    var step = step
    var flip = 1
    var previous: Int?
    for (i, length) in motif.lengths.enumerated() {
      let chord = chord(at: tick, in: chords)
      var move = i == 0 ? 0 : motif.moves[i - 1] * flip
      if let previous {
        step = chord.step(nearest: previous) + move
        if !window.contains(chord.key(step: step)) {
          flip = -flip
          move = -move
          step += 2 * move
        }
      }
      let onBeat = (tick - start) % meter.beat == 0
      if i == 0 || (onBeat && length >= meter.beat / 2) {
        var snapped = chord.tone(nearest: step, direction: move)
        if move != 0, chord.key(step: snapped) == previous {
          snapped = chord.tone(nearest: snapped + move.signum(), direction: move)
        }
        step = snapped
      }
      while chord.key(step: step) > window.upperBound { step -= 7 }
      while chord.key(step: step) < window.lowerBound { step += 7 }
      notes.append(MelodyNote(tick: tick, length: length, step: step, chord: chord))
      previous = chord.key(step: step)
      tick += length
    }
    cursor = previous ?? cursor
  }

  /// The last bar: steps to a chord tone (home, or the dominant's) that is held, then perhaps a pick-up.
  private func cadence(
    at start: Int, over chords: [Chord], closed: Bool, pickup: Bool, into notes: inout [MelodyNote],
    cursor: inout Int, using random: inout SeededGenerator
  ) {
    let chord = chord(at: start, in: chords)
    let approaches: [[Int]] =
      switch meter {
      case .fourFour: [[48, 48], [24, 24, 48], [24, 72], [12, 12, 24, 48]]
      case .threeFour: [[24, 48], [12, 12, 48], [48, 24]]
      case .sixEight: [[36, 36], [24, 12, 36], [12, 12, 12, 36]]
      }
    var lengths = random.pick(approaches)
    var target = chord.step(nearest: cursor)
    if closed {
      // The tonic that is nearest.
      let degree = ((target % 7) + 7) % 7
      target += degree <= 3 ? -degree : 7 - degree
    } else {
      target = chord.tone(nearest: target, direction: random.chance(0.5) ? 1 : -1)
    }
    while chord.key(step: target) > window.upperBound { target -= 7 }
    while chord.key(step: target) < window.lowerBound { target += 7 }
    let side = chord.key(step: target) > cursor ? -1 : 1
    var tail: [Int] = []
    if pickup, let held = lengths.last, held >= 48 {
      lengths[lengths.count - 1] = held - 24
      tail = [12, 12]
    }
    var tick = start
    for (i, length) in lengths.enumerated() {
      var step = target + side * (lengths.count - 1 - i)
      if !window.contains(chord.key(step: step)) { step = target }
      notes.append(
        MelodyNote(
          tick: tick, length: length, step: step, chord: chord, endsPhrase: i == lengths.count - 1))
      tick += length
    }
    for (i, length) in tail.enumerated() {
      let up = chord.key(step: target) <= center ? 1 : -1
      notes.append(MelodyNote(tick: tick, length: length, step: target + up * (i + 1), chord: chord))
      tick += length
    }
    cursor = notes.last.map(\.key) ?? cursor
  }
}

/// What a returning melody may gain.
enum Variation: CaseIterable, Sendable {
  case passingNotes, turns, simpler, lower, higher

  func apply(_ notes: [MelodyNote], window: ClosedRange<Int>, using random: inout SeededGenerator)
    -> [MelodyNote]
  {
    var result: [MelodyNote] = []
    switch self {
    case .lower, .higher:
      let shift = self == .lower ? -7 : 7
      let shifted = notes.map { note in
        var note = note
        note.step += shift
        return note
      }
      // Only where the whole tune fits: half of it would be another tune.
      return shifted.allSatisfy { window.contains($0.key) } ? shifted : notes
    case .simpler:
      for note in notes {
        if let last = result.last, note.length <= 12, last.length <= 12, last.tick % 24 == 0,
          last.end == note.tick,
          !last.endsPhrase, random.chance(0.6)
        {
          result[result.count - 1].length += note.length
          result[result.count - 1].endsPhrase = note.endsPhrase
        } else {
          result.append(note)
        }
      }
    case .passingNotes, .turns:
      for (i, note) in notes.enumerated() {
        result.append(note)
        guard note.length >= 24, !note.endsPhrase, i + 1 < notes.count, random.chance(0.55) else { continue }
        var added = note
        let gap = notes[i + 1].key - note.key
        if self == .passingNotes, gap != 0 {
          result[result.count - 1].length = note.length - 12
          added.step += gap.signum()
          added.length = 12
          added.tick = note.end - 12
          result.append(added)
        } else if self == .turns {
          result[result.count - 1].length = note.length - 12
          added.length = 6
          added.tick = note.end - 12
          added.step += 1
          result.append(added)
          added.tick += 6
          added.step -= 1
          result.append(added)
        }
        if !window.contains(added.key) || !window.contains(result[result.count - 1].key) {
          result.removeLast(result.count - (result.lastIndex { $0.tick == note.tick } ?? 0))
          result.append(note)
        }
      }
    }
    return result
  }
}
