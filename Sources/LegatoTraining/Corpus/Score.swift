/// A composed piece, performed: what is played when, and how it is described.
public struct Score: Sendable, Equatable {
  public struct Note: Sendable, Equatable {
    /// Seconds from the start of the piece.
    public var onset: Double
    /// Seconds; always above zero.
    public var duration: Double
    /// MIDI key.
    public var key: Int
    /// MIDI velocity, 1...127.
    public var velocity: Int

    var end: Double { onset + duration }
  }

  public struct Control: Sendable, Equatable {
    public var time: Double
    /// MIDI controller number.
    public var controller: Int
    /// 0...127.
    public var value: Int
  }

  public enum Action: Sendable, Equatable {
    case noteOff(key: Int)
    case control(controller: Int, value: Int)
    case noteOn(key: Int, velocity: Int)
  }

  public struct Event: Sendable, Equatable {
    public var time: Double
    public var action: Action
  }

  public var instrument: Instrument
  /// Ordered by onset. No key sounds twice at once, and monophonic instruments have no overlap at all.
  public var notes: [Note]
  public var controls: [Control]
  /// Tonic and mode as words: "E flat", "minor".
  public var tonic: String
  public var mode: String
  /// Quarter notes (in 6/8, dotted quarters) per minute.
  public var tempo: Double
  public var meter: String
  public var style: String
  /// Section letters in order, "A A' B A".
  public var form: String
  public var caption: String

  /// Seconds until the last note is released.
  public var duration: Double { notes.reduce(0) { max($0, $1.end) } }

  /// Every event in playing order: at one time, releases come first and notes last.
  public var events: [Event] {
    var events: [(time: Double, rank: Int, index: Int, action: Action)] = []
    for (i, control) in controls.enumerated() {
      events.append((control.time, 1, i, .control(controller: control.controller, value: control.value)))
    }
    for (i, note) in notes.enumerated() {
      events.append((note.onset, 2, i, .noteOn(key: note.key, velocity: note.velocity)))
      events.append((note.end, 0, i, .noteOff(key: note.key)))
    }
    events.sort { ($0.time, $0.rank, $0.index) < ($1.time, $1.rank, $1.index) }
    return events.map { Event(time: $0.time, action: $0.action) }
  }
}
