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

  private struct Voicing {
    var bass: Int
    var chord: [Int]
    var tones: [Int]
  }

  let meter: Meter
  let spacing: Spacing
  /// Keys for the bass, and for the chord above it.
  let bassWindow: ClosedRange<Int>
  let chordWindow: ClosedRange<Int>
  /// Whether single notes ring until the chord changes.
  let ring: Bool
  var lastBass: Int?
  var lastChord: [Int] = []

  /// The notes of `chords`, one figure for each bar.
  mutating func play(_ figure: String, over chords: [Chord]) -> [Note] {
    guard let first = chords.first, let last = chords.last else { return [] }
    // A phrase stands on roots at both ends.
    let voicings = chords.indices.map { voice(chords[$0], onRoot: $0 == 0 || $0 == chords.count - 1) }
    let slots = Array(figure)
    let slotLength = meter.bar / slots.count
    // What sounds where a hold meets a new chord.
    let restart: Character = slots.contains { "BCF".contains($0) } ? "F" : "0"
    var notes: [Note] = []
    for now in stride(from: first.start, to: last.end, by: slotLength) {
      let slot = (now - first.start) / slotLength % slots.count
      let index = chords.lastIndex { $0.start <= now } ?? 0
      let chord = chords[index]
      let symbol = slots[slot] == "." && chord.start == now ? restart : slots[slot]
      let keys = self.keys(symbol, voicings[index], chord: chord, next: voicings.dropFirst(index + 1).first)
      // Dots hold what sounds, but not into the next chord.
      let dots = slots[(slot + 1)...].prefix { $0 == "." }.count
      let held = ring && keys.count == 1 ? chord.end - now : min((1 + dots) * slotLength, chord.end - now)
      for (place, key) in keys.enumerated() {
        notes.append(
          Note(tick: now, length: held, key: key, place: place, isBass: place == 0 && "BF0".contains(symbol)))
      }
    }
    return notes
  }

  /// A full chord, as pieces end with.
  mutating func chord(_ chord: Chord, length: Int) -> [Note] {
    let voicing = voice(chord, onRoot: true)
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
      let goal = (next ?? voicing).tones[0]
      let step = chord.step(nearest: goal)
      return [chord.key(step: goal > bassWindow.lowerBound + 2 ? step - 1 : step + 1)]
    default:
      return symbol.wholeNumberValue.map { [voicing.tones[min($0, voicing.tones.count - 1)]] } ?? []
    }
  }

  // MARK: - Voicings

  private mutating func voice(_ chord: Chord, onRoot: Bool) -> Voicing {
    let classes = chord.pitchClasses
    let centre = (bassWindow.lowerBound + bassWindow.upperBound) / 2
    // The bass prefers roots, small steps, and the middle of its window.
    func cost(_ key: Int) -> Int {
      abs(key - (lastBass ?? centre)) * 2 + abs(key - centre) + (key % 12 == classes[0] ? 0 : 7)
    }
    let candidates = bassWindow.filter {
      classes.prefix(onRoot || spacing == .root ? 1 : 2).contains($0 % 12)
    }
    let bass = candidates.min { cost($0) < cost($1) } ?? centre
    let close = closePosition(classes)
    lastBass = bass
    lastChord = close
    return Voicing(bass: bass, chord: close.filter { $0 > bass }, tones: tones(bass, close, classes))
  }

  private func tones(_ bass: Int, _ close: [Int], _ classes: [Int]) -> [Int] {
    switch spacing {
    case .root: return [bass] + classes[1...2].map { bass + ($0 - bass % 12 + 12) % 12 } + [bass + 12]
    case .close: return close + close.prefix(2).map { $0 + 12 }.filter { $0 <= chordWindow.upperBound + 9 }
    case .wide:
      var tones = [bass]
      // Fifth, octave, tenth, and on, as far as the hand and the window reach.
      for i in [2, 0, 1, 2, 0] {
        var key = tones[tones.count - 1] + 1
        while key % 12 != classes[i] { key += 1 }
        if key > chordWindow.upperBound + 3 { break }
        tones.append(key)
      }
      return tones
    }
  }

  /// The inversion, within the window, that moves least from the last chord.
  private func closePosition(_ classes: [Int]) -> [Int] {
    let centre = (chordWindow.lowerBound + chordWindow.upperBound) / 2
    // Chords of four notes leave out the fifth.
    let wanted = classes.count == 4 ? [classes[0], classes[1], classes[3]] : classes
    let candidates = (chordWindow.lowerBound - 6...chordWindow.upperBound).filter { wanted.contains($0 % 12) }
      .map { start in wanted.map { start + ($0 - start % 12 + 12) % 12 }.sorted() }
    func cost(_ keys: [Int]) -> Int {
      let outside = max(0, chordWindow.lowerBound - keys[0]) + max(0, keys[2] - chordWindow.upperBound)
      return 2 * abs(keys[1] - centre) + 40 * outside
        + zip(keys, lastChord).reduce(0) { $0 + 3 * abs($1.0 - $1.1) }
    }
    return candidates.min { cost($0) < cost($1) } ?? wanted.map { $0 + 48 }
  }
}
