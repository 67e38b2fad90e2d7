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
  var moves: [Int] = []

  init(_ density: Density, _ meter: Meter, using random: inout SeededGenerator) {
    lengths = density.rhythm(meter, using: &random)
    // Sizes of steps, as often as they shall come.
    let sizes = density == .leaping ? [1, 2, 2, 2, 4] : [1, 1, 1, 1, 1, 1, 2, 2, 3, 0]
    let shape = random.int(0...4)
    for i in 0..<lengths.count - 1 {
      if let leap = moves.last, abs(leap) > 2 {
        // A leap is answered by a step back.
        moves.append(-leap.signum())
        continue
      }
      let isLate = 2 * i >= lengths.count - 1
      // Up, down, arch, bowl, wave.
      let direction = [1, -1, isLate ? -1 : 1, isLate ? 1 : -1, i % 2 == 0 ? 1 : -1][shape]
      moves.append(direction * random.pick(sizes))
    }
  }

  var inverted: Motif {
    var copy = self
    copy.moves = moves.map { -$0 }
    return copy
  }

  /// The same tune with its longest note split in two, the second of them a neighbour.
  var quickened: Motif {
    guard let longest = lengths.max(), longest >= 24, let i = lengths.firstIndex(of: longest) else {
      return self
    }
    var copy = self
    copy.lengths.replaceSubrange(i...i, with: [longest / 2, longest - longest / 2])
    let next = i < moves.count ? moves[i] : 0
    let side = next >= 0 ? 1 : -1
    copy.moves.replaceSubrange(
      i..<min(i + 1, moves.count), with: i < moves.count ? [side, next - side] : [side])
    return copy
  }
}

/// Writes the melody of a phrase of four bars from two motifs.
struct MelodyWriter: Sendable {
  var meter: Meter
  var motifs: [Motif]
  /// Motif and treatment of each of the first three bars: a or b, capital = inverted, `+` = quickened.
  var plan: String
  /// MIDI keys.
  var window: ClosedRange<Int>
  var center: Int

  static let plans = ["a a b", "a b a", "a A b", "a a a+", "a b b", "a a+ b", "a b A"]

  func phrase(_ chords: [Chord], closed: Bool, pickup: Bool, using random: inout SeededGenerator)
    -> [MelodyNote]
  {
    guard let start = chords.first?.start else { return [] }
    var notes: [MelodyNote] = []
    // Steps above the centre where the bars begin.
    let arch = random.pick([[0, 1, 3], [2, 3, 1], [0, 2, 4], [3, 1, 2], [1, 0, 3]])
    for (bar, treatment) in plan.split(separator: " ").enumerated() {
      var motif = motifs[treatment.lowercased().hasPrefix("a") ? 0 : 1]
      if treatment.contains(where: \.isUppercase) { motif = motif.inverted }
      if treatment.hasSuffix("+") { motif = motif.quickened }
      let tick = start + bar * meter.bar
      let chord = chord(at: tick, in: chords)
      let from = chord.step(nearest: notes.last?.key ?? center)
      // Towards the arch, but never by more than a fifth.
      let goal = max(from - 4, min(from + 4, chord.step(nearest: center) + arch[bar]))
      lay(motif, at: tick, step: goal, over: chords, into: &notes)
    }
    cadence(
      at: start + 3 * meter.bar, over: chords, closed: closed, pickup: pickup, into: &notes, using: &random)
    return notes
  }

  private func chord(at tick: Int, in chords: [Chord]) -> Chord {
    chords.last { $0.start <= tick } ?? chords[0]
  }

  /// `step`, by octaves, where it is within the window.
  private func placed(_ step: Int, _ chord: Chord) -> Int {
    var step = step
    while chord.key(step: step) > window.upperBound { step -= 7 }
    while chord.key(step: step) < window.lowerBound { step += 7 }
    return step
  }

  private func lay(
    _ motif: Motif, at start: Int, step: Int, over chords: [Chord], into notes: inout [MelodyNote]
  ) {
    var tick = start
    var step = step
    var flip = 1
    for (i, length) in motif.lengths.enumerated() {
      let chord = chord(at: tick, in: chords)
      let previous = notes.last?.key ?? center
      var move = 0
      if i > 0 {
        move = motif.moves[i - 1] * flip
        step = chord.step(nearest: previous) + move
        if !window.contains(chord.key(step: step)) {
          // At the edge of the window the motif turns round.
          flip = -flip
          move = -move
          step += 2 * move
        }
      }
      if i == 0 || ((tick - start) % meter.beat == 0 && length >= meter.beat / 2) {
        step = chord.tone(nearest: step, direction: move)
        if move != 0, chord.key(step: step) == previous {
          step = chord.tone(nearest: step + move.signum(), direction: move)
        }
      }
      notes.append(MelodyNote(tick: tick, length: length, step: placed(step, chord), chord: chord))
      tick += length
    }
  }

  /// The last bar: steps to a chord tone (the tonic, if closed) that is held, then perhaps a pick-up.
  private func cadence(
    at start: Int, over chords: [Chord], closed: Bool, pickup: Bool, into notes: inout [MelodyNote],
    using random: inout SeededGenerator
  ) {
    let chord = chord(at: start, in: chords)
    var lengths = random.pick(
      meter == .fourFour
        ? [[48, 48], [24, 24, 48], [24, 72], [12, 12, 24, 48]]
        : meter == .threeFour
          ? [[24, 48], [12, 12, 48], [48, 24]] : [[36, 36], [24, 12, 36], [12, 12, 12, 36]])
    let previous = notes.last?.key ?? center
    var target = chord.step(nearest: previous)
    if closed {
      let degree = ((target % 7) + 7) % 7
      target += degree <= 3 ? -degree : 7 - degree
    } else {
      target = chord.tone(nearest: target, direction: random.chance(0.5) ? 1 : -1)
    }
    target = placed(target, chord)
    let side = chord.key(step: target) > previous ? -1 : 1
    let held = lengths.count - 1
    if pickup, lengths[held] >= 48 {
      lengths.replaceSubrange(held...held, with: [lengths[held] - 24, 12, 12])
    }
    let up = chord.key(step: target) <= center ? 1 : -1
    var tick = start
    for (i, length) in lengths.enumerated() {
      let step = i <= held ? target + side * (held - i) : target + up * (i - held)
      notes.append(
        MelodyNote(tick: tick, length: length, step: placed(step, chord), chord: chord, endsPhrase: i == held)
      )
      tick += length
    }
  }
}

/// What a returning melody may become.
enum Variation: CaseIterable, Sendable {
  case passingNotes, turns, simpler, lower, higher

  func apply(_ notes: [MelodyNote], window: ClosedRange<Int>, using random: inout SeededGenerator)
    -> [MelodyNote]
  {
    var result: [MelodyNote] = []
    switch self {
    case .lower, .higher:
      result = notes
      for i in notes.indices { result[i].step += self == .lower ? -7 : 7 }
      // Half a tune would be another tune.
      if !result.allSatisfy({ window.contains($0.key) }) { result = notes }
    case .simpler:
      for note in notes {
        if let last = result.last, note.length <= 12, last.length <= 12, last.tick % Tick.quarter == 0,
          !last.endsPhrase,
          random.chance(0.6)
        {
          result[result.count - 1].length += note.length
          result[result.count - 1].endsPhrase = note.endsPhrase
        } else {
          result.append(note)
        }
      }
    case .passingNotes, .turns:
      for (note, next) in zip(notes, notes.dropFirst() + [notes[notes.count - 1]]) {
        result.append(note)
        let gap = next.key - note.key
        guard note.length >= 24, !note.endsPhrase, gap != 0, random.chance(0.55) else { continue }
        // The last quaver steps on towards the next note, or turns about this one.
        let added = self == .turns ? [(1, 6), (0, 6)] : [(gap.signum(), 12)]
        guard window.contains(note.chord.key(step: note.step + added[0].0)) else { continue }
        result[result.count - 1].length -= 12
        for (step, length) in added {
          let tick = result[result.count - 1].end
          result.append(MelodyNote(tick: tick, length: length, step: note.step + step, chord: note.chord))
        }
      }
    }
    return result
  }
}
