/// A composed piece, performed: what is played when, and how it is described.
public struct Score: Sendable, Equatable {
  /// Onset and duration in seconds; MIDI key and velocity, 1...127.
  public struct Note: Sendable, Equatable {
    public var onset, duration: Double
    public var key, velocity: Int
    var end: Double { onset + duration }
  }

  /// A MIDI message at a time in seconds.
  public struct Event: Sendable, Equatable {
    public enum Action: Sendable, Equatable {
      case noteOff(key: Int)
      case control(controller: Int, value: Int)
      case noteOn(key: Int, velocity: Int)
    }
    public var time: Double
    public var action: Action
  }

  public var instrument: Instrument
  /// Ordered by onset. No key sounds twice at once, and monophonic instruments have no overlap at all.
  public var notes: [Note]
  public var controls: [Event] = []
  /// Tonic, mode and meter as words: "E flat", "minor", "3/4".
  public var tonic, mode, meter: String
  /// Beats (in 6/8, dotted quarters) per minute.
  public var tempo: Double
  /// Name of the style, and section letters in order, "A A' B A".
  public var style, form: String
  public var caption = ""
  /// Seconds until the last note is released.
  public var duration: Double { notes.map(\.end).max() ?? 0 }

  /// Every event in playing order: at one time, releases come first and notes last.
  public var events: [Event] {
    let releases = notes.map { Event(time: $0.end, action: .noteOff(key: $0.key)) }
    let strikes = notes.map { Event(time: $0.onset, action: .noteOn(key: $0.key, velocity: $0.velocity)) }
    return (releases + controls + strikes).sorted { $0.time < $1.time }
  }
}
