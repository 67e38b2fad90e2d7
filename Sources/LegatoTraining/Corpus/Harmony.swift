/// Time inside a composition, in ticks; 24 to the quarter note.
enum Tick {
  static let (quarter, sixteenth) = (24, 6)
}

enum Meter: String, Sendable {
  case fourFour = "4/4"
  case threeFour = "3/4"
  case sixEight = "6/8"

  /// Ticks in a bar, in a beat (what the tempo counts), and before the second chord of a divided bar.
  var bar: Int { self == .fourFour ? 96 : 72 }
  var beat: Int { self == .sixEight ? 36 : 24 }
  var half: Int { self == .sixEight ? 36 : 48 }
}

enum Mode: String, Sendable {
  case major, minor, dorian, mixolydian
  /// Semitones above the tonic of the seven degrees.
  var scale: [Int] {
    switch self {
    case .major: [0, 2, 4, 5, 7, 9, 11]
    case .minor: [0, 2, 3, 5, 7, 8, 10]
    case .dorian: [0, 2, 3, 5, 7, 9, 10]
    case .mixolydian: [0, 2, 4, 5, 7, 9, 10]
    }
  }

  /// Four-bar progressions that end open, on the way somewhere, and those that come home.
  var openProgressions: [Substring] { progressions.filter { !$0.hasSuffix(" 1") } }
  var closedProgressions: [Substring] { progressions.filter { $0.hasSuffix(" 1") } }

  /// Chords are degrees; a following 7 adds the seventh, `#n` and `bn` raise and lower degree n of the scale
  /// while the chord lasts.
  private var progressions: [Substring] {
    let text =
      switch self {
      case .major:
        "1 6 4 5|1 4 2 57|1 3 4 5|1/5 6/3 4 5|6 4 1 5|1 2 4 5|1 6 2#4 5|1 17b7 4 5|1 3#5 6 5|1 4/5 6 5"
          + "|1 57/1 4/2 5|4 1 2 5|1 4 57 1|6 2 57 1|1 6 2/57 1|4 4b6 1/57 1|1/57 6/4 2/57 1|3 6 2/57 1"
          + "|4 5/6 2/57 1|1 4 1/57 1|6/4 1/6 27/57 1"
      case .minor:
        "1 6 4 5#7|1 7 6 5#7|1 4 6 5#7|1 6 3 7|1 4 7 3|1/7 6/5#7 1/4 5#7|6 7 1 5#7|1 17#3 4 5#7|1 4 57#7 1"
          + "|6 4 57#7 1|1 6 27/57#7 1|4 1 57#7 1|6 3 4/57#7 1|1/7 6 4/57#7 1|3 6 27/57#7 1"
      case .dorian: "1 4 1 7|1 3 4 7|1 7 3 4|1 2 3 4|1 4 7 1|3 7 4 1|1 7 4/7 1|6 3/4 7 1"
      case .mixolydian: "1 7 4 5|1 4 7 4|1 7 1 4|1 5 7 4|1 7 4 1|4 7 4 1|1/4 7 4/7 1|2 4 7 1"
      }
    return text.split(separator: "|")
  }
}

struct Tonality: Sendable {
  /// Pitch class, 0 = C.
  var tonic: Int
  var mode: Mode
  var name: String {
    ["C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"][tonic]
  }

  /// Keys that a middle section may go to: relative, dominant, subdominant and their like.
  var neighbours: [Tonality] {
    let related: [(Int, Mode)] =
      switch mode {
      case .major: [(9, .minor), (7, .major), (5, .major)]
      case .minor: [(3, .major), (5, .minor), (8, .major)]
      case .dorian: [(0, .dorian), (3, .major)]
      case .mixolydian: [(0, .mixolydian), (5, .major)]
      }
    return related.map { Tonality(tonic: (tonic + $0.0) % 12, mode: $0.1) }
  }
}

/// A chord that lasts from `start` for `length` ticks, with the scale that holds while it sounds.
struct Chord: Sendable {
  let start, length: Int
  private let tonic: Int
  /// Semitones above the tonic of the seven degrees, altered as the chord needs.
  private var scale: [Int]
  /// Root, third, fifth and seventh, as indices into the scale.
  private let degrees: [Int]

  /// A chord in the notation of `Mode.progressions`.
  private init(_ symbol: Substring, in tonality: Tonality, start: Int, length: Int) {
    (self.start, self.length, tonic, scale) = (start, length, tonality.tonic, tonality.mode.scale)
    let digits = symbol.compactMap(\.wholeNumberValue)
    let size = symbol.dropFirst().hasPrefix("7") ? 4 : 3
    degrees = (0..<size).map { (digits[0] - 1 + 2 * $0) % 7 }
    if symbol.contains("#") { scale[digits[digits.count - 1] - 1] += 1 }
    if symbol.contains("b") { scale[digits[digits.count - 1] - 1] -= 1 }
  }

  /// The chords of a progression from tick `start` on.
  static func progression(_ text: Substring, in tonality: Tonality, meter: Meter, start: Int) -> [Chord] {
    var tick = start
    return text.split(separator: " ").flatMap { bar in
      let symbols = bar.split(separator: "/")
      let lengths = symbols.count == 1 ? [meter.bar] : [meter.half, meter.bar - meter.half]
      return zip(symbols, lengths).map { symbol, length in
        defer { tick += length }
        return Chord(symbol, in: tonality, start: tick, length: length)
      }
    }
  }

  var end: Int { start + length }
  var pitchClasses: [Int] { degrees.map { (tonic + scale[$0]) % 12 } }

  /// The degree, 0...6, of a diatonic step.
  static func degree(_ step: Int) -> Int { (step % 7 + 7) % 7 }
  /// MIDI key of a diatonic step; step 0 is the tonic in the octave of MIDI key 0...11.
  func key(step: Int) -> Int {
    let degree = Self.degree(step)
    return tonic + scale[degree] + 12 * ((step - degree) / 7)
  }

  /// The step whose key is nearest to `goal`; the lower one of two.
  func step(nearest goal: Int) -> Int {
    let guess = (goal - tonic) * 7 / 12
    return (guess - 3...guess + 3).min { abs(key(step: $0) - goal) < abs(key(step: $1) - goal) } ?? guess
  }

  /// The chord tone nearest to `step`; of two, the one on the side of `direction`.
  func tone(nearest step: Int, direction: Int) -> Int {
    let side = direction < 0 ? -1 : 1
    let near = [0, 1, -1, 2, -2, 3, -3].lazy.map { step + side * $0 }
    return near.first { degrees.contains(Self.degree($0)) } ?? step
  }
}

extension ClosedRange<Int> {
  /// `key`, by octaves, where it is within these keys.
  func octave(of key: Int) -> Int {
    var key = key
    while key > upperBound { key -= 12 }
    while key < lowerBound { key += 12 }
    return key
  }
}
