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
  @Test func theCompositionIsTheOneOfItsVersion() {
    var hash: UInt64 = 14_695_981_039_346_656_037
    for instrument in Instrument.catalogue where [0, 12, 24, 32, 48, 73].contains(instrument.program) {
      for note in Composer(instrument: instrument, seed: 1).compose(seconds: 100).notes {
        for value in [Int(note.onset * 1000), Int(note.duration * 1000), note.key, note.velocity] {
          hash = (hash ^ UInt64(value)) &* 1_099_511_628_211
        }
      }
    }
    #expect(Composer.version == 1)
    #expect(hash == 4_540_289_117_519_430_554)
  }

  @Test(arguments: Instrument.catalogue)
  func everyInstrumentIsWrittenFor(_ instrument: Instrument) {
    for (seed, seconds) in [(1, 60.0), (2, 90), (3, 200), (4, 7)] {
      let score = Composer(instrument: instrument, seed: UInt64(seed)).compose(seconds: seconds)
      #expect(score.notes.allSatisfy { instrument.range.contains($0.key) })
      #expect(score.notes.allSatisfy { (1...127).contains($0.velocity) && $0.duration > 0 && $0.onset >= 0 })
      for control in score.controls {
        guard case .control(_, let value) = control.action else {
          Issue.record("\(control)")
          continue
        }
        #expect((0...127).contains(value) && control.time >= 0)
      }
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

  @Test(arguments: 1...12)
  func sectionsComeBack(_ number: Int) throws {
    let seed = UInt64(number)
    let piano = try #require(Instrument.catalogue.first)
    let plan = Plan(instrument: piano, seed: seed, seconds: 240)
    let letters = plan.phrases.filter { $0.index == 0 && !$0.isIntroduction }.map(\.letter)
    #expect(letters.filter { $0 == 0 }.count >= 2 && Set(letters).count >= 2)
    #expect(plan.phrases.last?.letter == 0)
    // What returns is recognisable: over all returns, more than half of the notes are those of the first time.
    let phrases = Composer(instrument: piano, seed: seed).write(plan)
    var (kept, all) = (0, 0)
    for (i, phrase) in plan.phrases.dropLast().enumerated() where phrase.visit > 0 && plan.style.melody != nil
    {
      let first = try #require(
        plan.phrases.firstIndex {
          $0.letter == phrase.letter && $0.index == phrase.index && $0.visit == 0 && !$0.isIntroduction
        })
      func notes(_ i: Int) -> Set<[Int]> {
        Set(phrases[i].melody.map { [$0.tick - i * plan.phraseTicks, $0.key % 12] })
      }
      kept += notes(i).intersection(notes(first)).count
      all += notes(first).count
    }
    #expect(kept * 2 >= all)
  }

  @Test func melodiesKeepToTheirCompass() throws {
    for instrument in Instrument.catalogue where instrument.texture == .solo {
      let keys = Composer(instrument: instrument, seed: 8).compose(seconds: 120).notes.map(\.key)
      #expect((keys.max() ?? 127) - (keys.min() ?? 0) <= 29, "\(instrument.name)")
    }
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
    #expect(Manner.all.count == 21)
    for style in Manner.all {
      #expect(!style.textures.isEmpty && !style.modes.isEmpty && style.tempo.lowerBound > 40, "\(style.name)")
      #expect(!style.figures.isEmpty && !style.manner.isEmpty, "\(style.name)")
      for (meter, bars) in style.figures {
        #expect(bars.allSatisfy { meter.bar % $0.count == 0 && !$0.hasPrefix(".") }, "\(style.name)")
      }
    }
    #expect(Instrument.catalogue.count == 105)
    #expect(Instrument.catalogue.allSatisfy { !Manner.suited(to: $0).isEmpty })
  }

  @Test func instrumentsAreFoundByNameFamilyAndNumber() throws {
    #expect(try Instrument.select(["40"]).map(\.name) == ["violin"])
    #expect(try Instrument.select(["Violin", "flute"]).map(\.program) == [40, 73])
    #expect(try Instrument.select(["piano"]).count == 8)
    #expect(try Instrument.select(["Acoustic-Grand piano", "nylon"]).map(\.program) == [0, 24])
    #expect(try Instrument.select([]).count == Instrument.catalogue.count)
    #expect { try Instrument.select(["voilin"]) } throws: { error in
      "\(error)".contains("violin") && "\(error)".contains("voilin")
    }
  }
}
