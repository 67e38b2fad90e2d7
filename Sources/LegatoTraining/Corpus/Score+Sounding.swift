extension Score {
  /// A key while it sounds; seconds.
  struct Sounding: Sendable, Equatable {
    var key: Int
    var start, end: Double
  }

  /// When each note is heard: until its key is released, or the pedal that is down then; strings that are plucked or
  /// struck no longer than 2 s, dry ones 0.5 s, since nobody can tell by then.
  var soundings: [Sounding] {
    let pedal = controls.compactMap { event -> (time: Double, isDown: Bool)? in
      guard case .control(64, let value) = event.action else { return nil }
      return (event.time, value >= 64)
    }
    let longest = instrument.isSustained ? Double.infinity : instrument.isDry ? 0.5 : 2
    var next = 0
    return notes.sorted { $0.end < $1.end }.map { note in
      while next < pedal.count, pedal[next].time <= note.end { next += 1 }
      var end = note.end
      if next > 0, pedal[next - 1].isDown {
        end = pedal[next...].first { !$0.isDown }?.time ?? end
      }
      return Sounding(key: note.key, start: note.onset, end: min(end, note.onset + longest))
    }
  }
}
