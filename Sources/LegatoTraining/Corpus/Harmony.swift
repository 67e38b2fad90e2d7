/// Time inside a composition, in ticks; 24 to the quarter note.
enum Tick {
  static let quarter = 24
  static let sixteenth = 6
}

enum Meter: String, Sendable {
  case fourFour = "4/4"
  case threeFour = "3/4"
  case sixEight = "6/8"

  /// Ticks in a bar.
  var bar: Int { self == .fourFour ? 96 : 72 }
  /// Ticks in a beat: what the tempo counts.
  var beat: Int { self == .sixEight ? 36 : 24 }
  var beats: Int { bar / beat }
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

  /// Four-bar progressions that end open, on the way somewhere. Chords are degrees; a following 7 adds the
  /// seventh, `#n` and `bn` raise and lower degree n of the scale while the chord lasts.
  var openProgressions: [String] {
    let text =
      switch self {
      case .major:
        "1 6 4 5|1 4 2 57|1 3 4 5|1/5 6/3 4 5|6 4 1 5|1 2 4 5|1 6 2#4 5|1 17b7 4 5|1 3#5 6 5|1 4/5 6 5"
          + "|1 57/1 4/2 5|4 1 2 5"
      case .minor: "1 6 4 5#7|1 7 6 5#7|1 4 6 5#7|1 6 3 7|1 4 7 3|1/7 6/5#7 1/4 5#7|6 7 1 5#7|1 17#3 4 5#7"
      case .dorian: "1 4 1 7|1 3 4 7|1 7 3 4|1 2 3 4"
      case .mixolydian: "1 7 4 5|1 4 7 4|1 7 1 4|1 5 7 4"
      }
    return text.split(separator: "|").map(String.init)
  }

  /// Four-bar progressions that come home.
  var closedProgressions: [String] {
    let text =
      switch self {
      case .major:
        "1 4 57 1|6 2 57 1|1 6 2/57 1|4 4b6 1/57 1|1/57 6/4 2/57 1|3 6 2/57 1|4 5/6 2/57 1|1 4 1/57 1"
          + "|6/4 1/6 27/57 1"
      case .minor:
        "1 4 57#7 1|6 4 57#7 1|1 6 27/57#7 1|4 1 57#7 1|6 3 4/57#7 1|1/7 6 4/57#7 1|3 6 27/57#7 1"
      case .dorian: "1 4 7 1|3 7 4 1|1 7 4/7 1|6 3/4 7 1"
      case .mixolydian: "1 7 4 1|4 7 4 1|1/4 7 4/7 1|2 4 7 1"
      }
    return text.split(separator: "|").map(String.init)
  }
}

/// A tonic and the mode on it.
struct Tonality: Sendable, Hashable {
  /// Pitch class, 0 = C.
  var tonic: Int
  var mode: Mode

  static let names = ["C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"]

  var name: String { Self.names[tonic] }

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
  var start: Int
  var length: Int
  /// Root as an index into the scale, 0...6.
  var root: Int
  var hasSeventh: Bool
  /// Pitch class of the tonic.
  var tonic: Int
  /// Semitones above the tonic of the seven degrees, altered as the chord needs.
  var scale: [Int]

  var end: Int { start + length }
  /// Scale indices of root, third, fifth and seventh.
  var degrees: [Int] { [0, 2, 4, 6].prefix(hasSeventh ? 4 : 3).map { (root + $0) % 7 } }
  var pitchClasses: [Int] { degrees.map { (tonic + scale[$0]) % 12 } }

  func contains(step: Int) -> Bool { degrees.contains(((step % 7) + 7) % 7) }

  /// MIDI key of a diatonic step; step 0 is the tonic in the octave of MIDI key 0...11.
  func key(step: Int) -> Int {
    let degree = ((step % 7) + 7) % 7
    return tonic + scale[degree] + 12 * ((step - degree) / 7)
  }

  /// The step whose key is nearest to `key`; the lower one of two.
  func step(nearest key: Int) -> Int {
    let guess = (key - tonic) * 7 / 12
    return (guess - 3...guess + 3).min {
      (abs(self.key(step: $0) - key), $0) < (abs(self.key(step: $1) - key), $1)
    } ?? guess
  }

  /// The chord tone nearest to `step`; of two, the one on the side of `direction`.
  func tone(nearest step: Int, direction: Int) -> Int {
    let side = direction < 0 ? -1 : 1
    for distance in 0...3 {
      for candidate in [step + side * distance, step - side * distance] where contains(step: candidate) {
        return candidate
      }
    }
    return step
  }

  /// The chords of a progression in the notation of `Mode.openProgressions`, from tick `start` on.
  static func progression(_ text: String, in tonality: Tonality, meter: Meter, start: Int) -> [Chord] {
    var chords: [Chord] = []
    for (bar, symbols) in text.split(separator: " ").enumerated() {
      let symbols = symbols.split(separator: "/")
      // A bar of three beats splits into two and one.
      let first = symbols.count == 1 ? meter.bar : meter == .threeFour ? 48 : meter.bar / 2
      for (i, symbol) in symbols.enumerated() {
        var chord = Chord(
          start: start + bar * meter.bar + (i == 0 ? 0 : first), length: i == 0 ? first : meter.bar - first,
          root: 0, hasSeventh: false, tonic: tonality.tonic, scale: tonality.mode.scale)
        var shift = 0
        for (position, character) in symbol.enumerated() {
          let digit = character.wholeNumberValue ?? 0
          switch character {
          case "#": shift = 1
          case "b": shift = -1
          case _ where shift != 0:
            chord.scale[digit - 1] += shift
            shift = 0
          case _ where position == 0: chord.root = digit - 1
          default: chord.hasSeventh = true
          }
        }
        chords.append(chord)
      }
    }
    return chords
  }
}
