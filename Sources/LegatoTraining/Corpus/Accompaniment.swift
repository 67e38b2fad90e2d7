/// Turns figures into notes over voicings that move as little as they can.
struct Accompanist: Sendable {
  struct Note: Sendable {
    var tick: Int
    var length: Int
    var key: Int
    /// Place from the bottom of a chord that is struck together, for rolling it.
    var place = 0
    var isBass = false
  }

  /// What the digits of a figure mean.
  enum Spacing: Sendable {
    /// The chord in its nearest inversion, continued upwards.
    case close
    /// Bass, fifth, octave, tenth, twelfth, fifteenth.
    case wide
    /// Root, third, fifth, octave.
    case root
  }

  var meter: Meter
  var spacing: Spacing
  /// Keys for the bass, and for the chord above it.
  var bassWindow: ClosedRange<Int>
  var chordWindow: ClosedRange<Int>
  /// Whether notes ring until the chord changes.
  var ring: Bool
  private var lastBass: Int
  private var lastChord: [Int] = []

  init(
    meter: Meter, spacing: Spacing, bassWindow: ClosedRange<Int>, chordWindow: ClosedRange<Int>, ring: Bool
  ) {
    self.meter = meter
    self.spacing = spacing
    self.bassWindow = bassWindow
    self.chordWindow = chordWindow
    self.ring = ring
    lastBass = (bassWindow.lowerBound + bassWindow.upperBound) / 2
  }

  private struct Voicing {
    var bass: Int
    var chord: [Int]
    var tones: [Int]
  }

  /// The notes of `chords`, one figure for each bar.
  mutating func play(_ figure: String, over chords: [Chord], allowInversions: Bool) -> [Note] {
    guard let first = chords.first, let last = chords.last else { return [] }
    var notes: [Note] = []
    var voicings: [Voicing] = []
    for (i, chord) in chords.enumerated() {
      voicings.append(voice(chord, rootOnly: !allowInversions || i == 0 || i == chords.count - 1))
    }
    let slots = Array(figure)
    let slotLength = meter.bar / slots.count
    // What sounds where a hold meets a new chord.
    let restart: Character = slots.contains { "BCF".contains($0) } ? "F" : "0"
    var tick = first.start
    while tick < last.end {
      for (i, slot) in slots.enumerated() {
        let now = tick + i * slotLength
        let index = chords.lastIndex { $0.start <= now } ?? 0
        var length = slotLength
        // A hold lasts through dots, but not into the next chord.
        for next in slots[(i + 1)...] {
          guard next == ".", now + length < chords[index].end else { break }
          length += slotLength
        }
        let starts = chords[index].start == now
        let symbol = slot == "." && starts ? restart : slot
        let keys = self.keys(
          symbol, voicings[index], chord: chords[index], next: voicings.dropFirst(index + 1).first)
        let ringing = ring && keys.count == 1 ? chords[index].end - now : length
        for (place, key) in keys.enumerated() {
          notes.append(
            Note(
              tick: now, length: max(length, ringing), key: key, place: place,
              isBass: place == 0 && (symbol == "B" || symbol == "F" || symbol == "0")))
        }
      }
      tick += meter.bar
    }
    return notes
  }

  /// A full chord that closes the piece.
  mutating func final(_ chord: Chord, length: Int) -> [Note] {
    let voicing = voice(chord, rootOnly: true)
    return ([voicing.bass] + voicing.chord).enumerated().map {
      Note(tick: chord.start, length: length, key: $1, place: $0, isBass: $0 == 0)
    }
  }

  private func keys(_ symbol: Character, _ voicing: Voicing, chord: Chord, next: Voicing?) -> [Int] {
    switch symbol {
    case "B": return [voicing.bass]
    case "C": return voicing.chord
    case "F": return [voicing.bass] + voicing.chord
    case "a":
      let goal = next?.tones[0] ?? voicing.tones[0]
      let step = chord.step(nearest: goal)
      let below = chord.key(step: step) >= goal ? chord.key(step: step - 1) : chord.key(step: step)
      return [bassWindow.contains(below) ? below : chord.key(step: step + 1)]
    default:
      guard let digit = symbol.wholeNumberValue else { return [] }
      return [voicing.tones[min(digit, voicing.tones.count - 1)]]
    }
  }

  private mutating func voice(_ chord: Chord, rootOnly: Bool) -> Voicing {
    let classes = chord.pitchClasses
    let centre = (bassWindow.lowerBound + bassWindow.upperBound) / 2
    // The bass prefers roots, small steps, and the middle of its window.
    let bass =
      bassWindow.filter { classes.prefix(rootOnly ? 1 : 2).contains($0 % 12) }.min {
        bassCost($0, classes, centre) < bassCost($1, classes, centre)
      } ?? chord.key(step: chord.step(nearest: centre))
    let upper = closePosition(classes)
    let tones =
      switch spacing {
      case .close: extend(upper)
      case .wide: spread(from: bass, classes)
      case .root: stack(from: bass, classes)
      }
    lastBass = bass
    lastChord = upper
    return Voicing(bass: bass, chord: upper.filter { $0 > bass }, tones: tones)
  }

  private func bassCost(_ key: Int, _ classes: [Int], _ centre: Int) -> Int {
    abs(key - lastBass) * 2 + abs(key - centre) + (key % 12 == classes[0] ? 0 : 7)
  }

  /// The inversion, within the window, that moves least from the last chord.
  private func closePosition(_ classes: [Int]) -> [Int] {
    let centre = (chordWindow.lowerBound + chordWindow.upperBound) / 2
    // Four-note chords leave out the fifth.
    let wanted = classes.count == 4 ? [classes[0], classes[1], classes[3]] : classes
    var best: (cost: Int, keys: [Int]) = (.max, [])
    for start in (chordWindow.lowerBound - 6)...(chordWindow.upperBound) where wanted.contains(start % 12) {
      var keys = [start]
      var key = start + 1
      while keys.count < wanted.count {
        if wanted.contains(key % 12), !keys.contains(where: { $0 % 12 == key % 12 }) { keys.append(key) }
        key += 1
      }
      var cost = 2 * abs(keys[1] - centre)
      for (a, b) in zip(keys, lastChord) { cost += 3 * abs(a - b) }
      if let low = keys.first, let high = keys.last {
        cost += 40 * (max(0, chordWindow.lowerBound - low) + max(0, high - chordWindow.upperBound))
      }
      if cost < best.cost { best = (cost, keys) }
    }
    return best.keys
  }

  /// A close position continued upwards by octaves, five tones in all.
  private func extend(_ keys: [Int]) -> [Int] {
    var tones = keys
    var i = 0
    while tones.count < 5, i < keys.count, keys[i] + 12 <= chordWindow.upperBound + 9 {
      tones.append(keys[i] + 12)
      i += 1
    }
    return tones
  }

  private func stack(from bass: Int, _ classes: [Int]) -> [Int] {
    [bass] + classes[1...2].map { bass + (($0 - bass) % 12 + 12) % 12 } + [bass + 12]
  }

  /// Bass, fifth, octave, tenth, twelfth, fifteenth, as far as the hand and the window reach.
  private func spread(from bass: Int, _ classes: [Int]) -> [Int] {
    var tones = [bass]
    let order = [classes[2], classes[0], classes[1], classes[2], classes[0], classes[1]]
    for wanted in order {
      var key = (tones.last ?? bass) + 1
      while key % 12 != wanted { key += 1 }
      if key > chordWindow.upperBound + 3 || tones.count == 6 { break }
      tones.append(key)
    }
    return tones
  }
}
