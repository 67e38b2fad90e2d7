import Testing

@testable import LegatoTraining

@Suite struct CorpusComposerTests {
  @Test func theSameSeedGivesTheSameScore() throws {
    let piano = try #require(Instrument.catalogue.first)
    let score = Composer(instrument: piano, seed: 5).compose(seconds: 60)
    #expect(score == Composer(instrument: piano, seed: 5).compose(seconds: 60))
    #expect(score.notes != Composer(instrument: piano, seed: 6).compose(seconds: 60).notes)
  }

  /// Pins the composition: whoever changes it raises `Composer.version` and these numbers.
  @Test func theCompositionIsTheOneOfItsVersion() throws {
    let piano = try #require(Instrument.catalogue.first)
    let score = Composer(instrument: piano, seed: 1).compose(seconds: 60)
    let digest = score.notes.reduce(into: UInt64(14_695_981_039_346_656_037)) { hash, note in
      for value in [Int(note.onset * 1000), note.key, note.velocity] {
        hash = (hash ^ UInt64(value)) &* 1_099_511_628_211
      }
    }
    #expect(Composer.version == 1)
    #expect(digest == 0)
  }

  @Test(arguments: Instrument.catalogue)
  func everyInstrumentIsWrittenFor(_ instrument: Instrument) {
    for (seed, seconds) in [(1, 60.0), (2, 90), (3, 200), (4, 7)] {
      let score = Composer(instrument: instrument, seed: UInt64(seed)).compose(seconds: seconds)
      #expect(score.notes.allSatisfy { instrument.range.contains($0.key) })
      #expect(score.notes.allSatisfy { (1...127).contains($0.velocity) && $0.duration > 0 && $0.onset >= 0 })
      #expect(score.controls.allSatisfy { (0...127).contains($0.value) && $0.time >= 0 })
      #expect(abs(score.duration - seconds) < 0.1)
      // Something new is heard all the time.
      let onsets = score.notes.map(\.onset)
      let longest = zip(onsets, onsets.dropFirst()).map { $1 - $0 }.max() ?? .infinity
      #expect(longest < 3.6, "\(instrument.name), \(score.style): \(longest) s without a note")
      #expect(Double(score.notes.count) / seconds > 0.8)
      #expect(!score.caption.isEmpty && score.caption.contains(instrument.name.dropFirst(1)))
    }
  }

  @Test(arguments: Instrument.catalogue)
  func everyNoteIsReleasedBeforeItsKeyIsStruckAgain(_ instrument: Instrument) {
    let score = Composer(instrument: instrument, seed: 11).compose(seconds: 70)
    var down: Set<Int> = []
    var pedal = 0
    for event in score.events {
      switch event.action {
      case .noteOn(let key, _):
        #expect(down.insert(key).inserted)
        if !instrument.isPolyphonic { #expect(down.count == 1) }
      case .noteOff(let key): #expect(down.remove(key) != nil)
      case .control(let controller, let value): if controller == 64 { pedal = value }
      }
    }
    #expect(down.isEmpty)
    #expect(pedal == 0)
  }

  @Test func sectionsComeBack() throws {
    let piano = try #require(Instrument.catalogue.first)
    let plan = Plan(instrument: piano, seed: 3, seconds: 240)
    #expect(plan.phrases.filter { $0.letter == 0 && $0.visit > 0 }.count >= 2)
    #expect(Set(plan.phrases.map(\.letter)).count >= 2)
    #expect(plan.phrases.last?.letter == 0)
    // A first return is recognisable: most of its notes are those of the first time.
    let composer = Composer(instrument: piano, seed: 3)
    let parts = composer.write(plan)
    let first = try #require(
      plan.phrases.firstIndex { $0.letter == 0 && $0.visit == 0 && !$0.isIntroduction })
    let again = try #require(plan.phrases.firstIndex { $0.letter == 0 && $0.visit == 1 })
    func classes(_ phrase: Int) -> Set<[Int]> {
      Set(parts.melodies[phrase].notes.map { [$0.tick - phrase * plan.phraseTicks, $0.key % 12] })
    }
    #expect(classes(first).intersection(classes(again)).count * 2 > classes(first).count)
  }

  @Test func progressionsAreReadAsWritten() {
    let major = Tonality(tonic: 0, mode: .major)
    let chords = Chord.progression("1 2#4/57 4b6 17b7", in: major, meter: .fourFour, start: 96)
    #expect(chords.map(\.start) == [96, 192, 240, 288, 384])
    #expect(
      chords.map(\.pitchClasses) == [[0, 4, 7], [2, 6, 9], [7, 11, 2, 5], [5, 8, 0], [0, 4, 7, 10]])
    for mode in [Mode.major, .minor, .dorian, .mixolydian] {
      for text in mode.openProgressions + mode.closedProgressions {
        let chords = Chord.progression(text, in: Tonality(tonic: 4, mode: mode), meter: .threeFour, start: 0)
        #expect(chords.reduce(0) { $0 + $1.length } == 4 * 72, "\(text)")
      }
    }
    #expect(Mode.minor.closedProgressions.allSatisfy { $0.hasSuffix(" 1") })
  }

  @Test func figuresFillTheirBars() {
    for style in Style.all {
      for (meter, figures) in style.figures {
        #expect(figures.allSatisfy { meter.bar % $0.count == 0 && !$0.hasPrefix(".") }, "\(style.name)")
      }
    }
    #expect(Instrument.catalogue.count == 107)
    #expect(Instrument.catalogue.allSatisfy { !Style.suited(to: $0).isEmpty })
  }

  @Test func instrumentsAreFoundByNameFamilyAndNumber() throws {
    #expect(try Instrument.select(["40"]).map(\.name) == ["violin"])
    #expect(try Instrument.select(["Violin", "flute"]).map(\.program) == [40, 73])
    #expect(try Instrument.select(["piano"]).count == 8)
    #expect(try Instrument.select(["grand-piano", "nylon"]).map(\.program) == [24])
    #expect(try Instrument.select([]).count == Instrument.catalogue.count)
    #expect { try Instrument.select(["voilin"]) } throws: { error in
      "\(error)".contains("violin") && "\(error)".contains("voilin")
    }
  }
}
