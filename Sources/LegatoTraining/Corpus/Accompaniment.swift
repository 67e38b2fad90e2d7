/// Turns figures into notes over voicings that move as little as they can.
struct Accompanist: Sendable {
  struct Note: Sendable {
    var tick, length, key: Int
    /// From the bottom of a chord that is struck together.
    var place = 0
    var isBass = false
  }

  /// What the digits of a figure mean.
  enum Spacing: Sendable {
    /// The chord in its nearest inversion, continued upwards; bass, fifth, octave, tenth, twelfth, fifteenth;
    /// root, third, fifth, octave.
    case close, wide, root
  }

  private typealias Voicing = (bass: Int, chord: [Int], tones: [Int])
  private let meter: Meter
  private let spacing: Spacing
  /// Keys for the bass, and for the chord above it.
  private let bassWindow, chordWindow: ClosedRange<Int>
  /// Whether single notes ring until the chord changes.
  private let ring: Bool
  private var lastBass: Int
  private var lastChord: [Int] = []

  /// An accompaniment below the key `melody`, or over the whole compass where there is none.
  init(_ plan: Plan, below melody: Int) {
    let (instrument, range, span) = (plan.instrument, plan.instrument.range, plan.instrument.range.count - 1)
    let low = range.lowerBound + span * (instrument.isPolyphonic ? 20 : 15) / 100
    let high = plan.style.melody == nil ? min(range.upperBound - 10, low + 30) : melody + 1
    (meter, spacing) = (plan.meter, plan.style.spacing)
    bassWindow = range.lowerBound...range.lowerBound + max(12, span * 22 / 100)
    chordWindow = low...max(low + 12, high)
    lastBass = (bassWindow.lowerBound + bassWindow.upperBound) / 2
    let canRing = instrument.isPolyphonic && !instrument.isSustained && !instrument.isDry
    ring = canRing && (plan.style.pedal || spacing == .wide)
  }

  /// One figure for each bar.
  mutating func play(_ figure: Substring, over chords: [Chord]) -> [Note] {
    // A phrase stands on roots at both ends.
    let voicings = chords.indices.map { voice(chords[$0], onRoot: $0 == 0 || $0 == chords.count - 1) }
    let slots = Array(figure)
    let slotLength = meter.bar / slots.count
    // What sounds where a hold meets a new chord.
    let restart: Character = slots.contains { "BCF".contains($0) } ? "F" : "0"
    return zip(chords, chords.indices).flatMap { chord, index in
      stride(from: chord.start, to: chord.end, by: slotLength).flatMap { now -> [Note] in
        let slot = now % meter.bar / slotLength
        let symbol = slots[slot] == "." && chord.start == now ? restart : slots[slot]
        let next = voicings[min(index + 1, chords.count - 1)].tones[0]
        let keys = keys(symbol, voicings[index], chord: chord, next: next)
        // Dots hold what sounds, but not into the next chord.
        let dots = slots[(slot + 1)...].prefix { $0 == "." }.count
        let isRinging = ring && keys.count == 1
        let length = isRinging ? chord.end - now : min((1 + dots) * slotLength, chord.end - now)
        return keys.enumerated().map { place, key in
          let isBass = place == 0 && "BF0".contains(symbol)
          return Note(tick: now, length: length, key: key, place: place, isBass: isBass)
        }
      }
    }
  }

  private func keys(_ symbol: Character, _ voicing: Voicing, chord: Chord, next: Int) -> [Int] {
    switch symbol {
    case "B": return [voicing.bass]
    case "C": return voicing.chord
    case "F": return [voicing.bass] + voicing.chord
    case "a":
      let side = next > bassWindow.lowerBound + 2 ? -1 : 1
      return [chord.key(step: chord.step(nearest: next) + side)]
    default: return symbol.wholeNumberValue.map { [voicing.tones[min($0, voicing.tones.count - 1)]] } ?? []
    }
  }

  private mutating func voice(_ chord: Chord, onRoot: Bool) -> Voicing {
    let classes = chord.pitchClasses
    let centre = (bassWindow.lowerBound + bassWindow.upperBound) / 2
    // The bass prefers roots, small steps, and the middle of its window.
    func cost(_ key: Int) -> Int {
      abs(key - lastBass) * 2 + abs(key - centre) + (key % 12 == classes[0] ? 0 : 7)
    }
    let allowed = classes.prefix(onRoot || spacing == .root ? 1 : 2)
    lastBass = bassWindow.filter { allowed.contains($0 % 12) }.min { cost($0) < cost($1) } ?? centre
    lastChord = closePosition(classes)
    return (lastBass, lastChord.filter { [lastBass] in $0 > lastBass }, tones(classes))
  }

  /// What digits mean over the bass and the chord that have just been voiced.
  private func tones(_ classes: [Int]) -> [Int] {
    switch spacing {
    case .root: return [lastBass] + classes[1...2].map { Self.key($0, from: lastBass) } + [lastBass + 12]
    case .close:
      return lastChord + lastChord.prefix(2).map { $0 + 12 }.filter { $0 <= chordWindow.upperBound + 9 }
    case .wide:
      var tones = [lastBass]
      // Fifth, octave, tenth, and on, as far as the hand and the window reach.
      for i in [2, 0, 1, 2, 0] {
        let key = Self.key(classes[i], from: tones[tones.count - 1] + 1)
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
    func cost(_ keys: [Int]) -> Int {
      let outside = max(0, chordWindow.lowerBound - keys[0]) + max(0, keys[2] - chordWindow.upperBound)
      let moved = zip(keys, lastChord).reduce(0) { $0 + abs($1.0 - $1.1) }
      return 2 * abs(keys[1] - centre) + 40 * outside + 3 * moved
    }
    let lowest = (chordWindow.lowerBound - 6...chordWindow.upperBound).filter { wanted.contains($0 % 12) }
    let inversions = lowest.map { low in wanted.map { Self.key($0, from: low) }.sorted() }
    return inversions.min { cost($0) < cost($1) } ?? wanted
  }

  /// The lowest key of a pitch class that is not below `low`.
  private static func key(_ pitchClass: Int, from low: Int) -> Int {
    low + (pitchClass - low % 12 + 12) % 12
  }
}
