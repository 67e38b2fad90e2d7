struct MelodyNote: Sendable {
  var tick, length: Int
  /// Diatonic step in the scale of `chord`.
  var step: Int
  var chord: Chord
  /// Whether the player takes a breath after it.
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
      let half = 2 * i >= lengths.count - 1 ? -1 : 1
      // Up, down, arch, bowl, wave; but a leap is answered by a step back.
      let direction = [1, -1, half, -half, i % 2 == 0 ? 1 : -1][shape]
      let leap = moves.last.flatMap { abs($0) > 2 ? $0 : nil }
      moves.append(leap.map { -$0.signum() } ?? direction * random.pick(sizes))
    }
  }

  mutating func invert() { moves = moves.map { -$0 } }

  /// Splits the longest note in two, the second of them a neighbour.
  mutating func quicken() {
    guard let longest = lengths.max(), longest >= 24, let i = lengths.firstIndex(of: longest) else { return }
    lengths.replaceSubrange(i...i, with: [longest / 2, longest / 2])
    let side = i < moves.count && moves[i] < 0 ? -1 : 1
    moves.insert(side, at: i)
    if i + 1 < moves.count { moves[i + 1] -= side }
  }
}

/// Writes the melody of a phrase of four bars from two motifs.
struct MelodyWriter: Sendable {
  let meter: Meter
  let section: Plan.Section
  let chords: [Chord]
  /// MIDI keys.
  let window: ClosedRange<Int>
  let center: Int
  var random: SeededGenerator
  var notes: [MelodyNote] = []

  /// Motif and treatment of each of the first three bars: a or b, capital = inverted, `+` = quickened.
  static let plans = ["a a b", "a b a", "a A b", "a a a+", "a b b", "a a+ b", "a b A"]

  private var tick: Int { notes.last?.end ?? chords[0].start }
  private var chord: Chord { chords.last { $0.start <= tick } ?? chords[0] }
  private var lastKey: Int { notes.last?.key ?? center }

  mutating func write(closed: Bool, pickup: Bool) -> [MelodyNote] {
    // Steps above the centre where the bars begin.
    let arch = random.pick([[0, 1, 3], [2, 3, 1], [0, 2, 4], [3, 1, 2], [1, 0, 3]])
    for (treatment, height) in zip(section.melodyPlan.split(separator: " "), arch) {
      var motif = section.motifs[treatment.lowercased().hasPrefix("a") ? 0 : 1]
      if treatment.contains(where: \.isUppercase) { motif.invert() }
      if treatment.hasSuffix("+") { motif.quicken() }
      lay(motif, height: height)
    }
    cadence(closed: closed, pickup: pickup)
    return notes
  }

  /// `step`, by octaves, where it is within the window.
  private func placed(_ step: Int) -> Int {
    let key = chord.key(step: step)
    return step + (window.octave(of: key) - key) / 12 * 7
  }

  private mutating func add(_ step: Int, _ length: Int, endsPhrase: Bool = false) {
    notes.append(
      MelodyNote(tick: tick, length: length, step: placed(step), chord: chord, endsPhrase: endsPhrase))
  }

  /// A bar of `motif` that begins near `height` steps above the centre.
  private mutating func lay(_ motif: Motif, height: Int) {
    var flip = 1
    for (i, length) in motif.lengths.enumerated() {
      let here = chord.step(nearest: lastKey)
      var move = i == 0 ? 0 : motif.moves[i - 1] * flip
      // Bars begin near the arch, but with no leap of more than a fifth.
      var step = i > 0 ? here + move : max(here - 4, min(here + 4, chord.step(nearest: center) + height))
      if i > 0, !window.contains(chord.key(step: step)) {
        // At the edge of the window the motif turns round.
        (flip, move, step) = (-flip, -move, here - move)
      }
      if i == 0 || (tick % meter.beat == 0 && length >= meter.beat / 2) {
        step = chord.tone(nearest: step, direction: move)
        if move != 0, chord.key(step: step) == lastKey {
          step = chord.tone(nearest: step + move.signum(), direction: move)
        }
      }
      add(step, length)
    }
  }

  /// The last bar: steps to a chord tone (the tonic, if closed) that is held, then perhaps a pick-up.
  private mutating func cadence(closed: Bool, pickup: Bool) {
    var lengths =
      switch meter {
      case .fourFour: random.pick([[48, 48], [24, 24, 48], [24, 72], [12, 12, 24, 48]])
      case .threeFour: random.pick([[24, 48], [12, 12, 48], [48, 24]])
      case .sixEight: random.pick([[36, 36], [24, 12, 36], [12, 12, 12, 36]])
      }
    let here = chord.step(nearest: lastKey)
    let degree = Chord.degree(here)
    let tonic = here + (degree <= 3 ? -degree : 7 - degree)
    let target = placed(closed ? tonic : chord.tone(nearest: here, direction: random.chance(0.5) ? 1 : -1))
    let side = chord.key(step: target) > lastKey ? -1 : 1
    let back = chord.key(step: target) <= center ? -1 : 1
    let held = lengths.count - 1
    if pickup, lengths[held] >= 48 {
      lengths[held] -= 24
      lengths += [12, 12]
    }
    for (i, length) in lengths.enumerated() {
      add(target + (i <= held ? side : back) * (held - i), length, endsPhrase: i == held)
    }
  }
}

enum Variation: CaseIterable, Sendable {
  case passingNotes, turns, simpler, lower, higher

  func apply(to notes: [MelodyNote], _ window: ClosedRange<Int>, _ random: inout SeededGenerator)
    -> [MelodyNote]
  {
    var result: [MelodyNote] = []
    switch self {
    case .lower, .higher:
      result = notes
      for i in notes.indices { result[i].step += self == .lower ? -7 : 7 }
      // Half a tune would be another tune.
      return result.allSatisfy { window.contains($0.key) } ? result : notes
    case .simpler:
      for note in notes {
        let last = result.last ?? note
        let isPair = max(note.length, last.length) <= 12 && last.tick % Tick.quarter == 0 && !last.endsPhrase
        if isPair, !result.isEmpty, random.chance(0.6) {
          result[result.count - 1].length += note.length
          result[result.count - 1].endsPhrase = note.endsPhrase
        } else {
          result.append(note)
        }
      }
    case .passingNotes, .turns:
      for (note, next) in zip(notes, notes.dropFirst() + notes.suffix(1)) {
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
