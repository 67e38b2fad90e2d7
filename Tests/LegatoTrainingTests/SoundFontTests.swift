import Foundation
import LegatoAudio
import LegatoTensor
import Testing

@testable import LegatoTraining

/// Cutting sound fonts. The renders need libfluidsynth and FluidR3, which `make test` installs.
@Suite struct SoundFontTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("legato-font-\(UUID())")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  private func write(_ font: SoundFontFile, _ name: String = "font.sf2") throws -> String {
    try font.bytes(path: name).write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  private func read(_ path: String) throws -> SoundFontFile {
    try SoundFontFile(try Data(contentsOf: URL(fileURLWithPath: path)), path: path)
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let font = ToyFont.font()
    let again = try read(try write(font))
    #expect(try again.bytes(path: "") == font.bytes(path: ""))
    #expect(again.presets.map(\.program) == [0, 42, 73, 0])
    #expect(again.presets.map(\.bank) == [0, 0, 0, 128])
    #expect(again.information == font.information)
    #expect(again.lowBytes == font.lowBytes)
  }

  @Test func aCutHoldsWhatItsPresetsReachAndNothingElse() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let whole = ToyFont.font()
    let source = try write(whole)
    let summary = try cutSoundFont(source, to: path("cut.sf2"), instruments: ["cello", "73"])
    #expect(summary.presets == ["Cello", "Flute"])
    #expect(summary.samples == 3)
    #expect(summary.bytesAfter < summary.bytesBefore)
    let cut = try read(path("cut.sf2"))
    #expect(cut.information == whole.information)
    #expect(cut.instruments.map { SoundFontFile.name($0.header) } == ["cello", "flute"])
    // The flute plays the left sample alone; the right one that is linked to it comes along.
    #expect(cut.samples.map { SoundFontFile.name($0.header) } == ["cello", "flute R", "flute L"])
    #expect(cut.samples[2].link == 1 && cut.samples[1].link == 2)
    #expect(cut.presets[1].zones.map(\.modulators) == whole.presets[2].zones.map(\.modulators))
    #expect(cut.presets[1].zones[0].generators == [.init(operation: 41, amount: 1)])
    #expect(cut.instruments[1].zones[0].generators.last == .init(operation: 53, amount: 2))
    for (sample, original) in zip(cut.samples, [whole.samples[1], whole.samples[2], whole.samples[3]]) {
      #expect(ToyFont.sound(sample, of: cut) == ToyFont.sound(original, of: whole))
      #expect(ToyFont.lowSound(sample, of: cut) == ToyFont.lowSound(original, of: whole))
      #expect(ToyFont.loop(sample) == ToyFont.loop(original))
      #expect(sample.end + 46 <= cut.frames.count / 2)
    }
    // A cut of a cut is itself.
    try cutSoundFont(path("cut.sf2"), to: path("again.sf2"), instruments: ["cello", "flute"])
    #expect(FileManager.default.contentsEqual(atPath: path("cut.sf2"), andPath: path("again.sf2")))
  }

  @Test func samplesThatShareTheirSoundStillDo() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try cutSoundFont(try write(ToyFont.font()), to: path("cut.sf2"), instruments: ["acoustic grand piano"])
    let cut = try read(path("cut.sf2"))
    #expect(cut.samples.count == 2)
    #expect(cut.samples[0].start == cut.samples[1].start)
    #expect(cut.frames.count == 2 * (100 + 46))
  }

  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return "\(error)" }
    return "no error"
  }

  @Test func wrongFontsSayWhatIsWrong() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = try write(ToyFont.font())
    let output = path("cut.sf2")
    func cut(_ source: String, _ instruments: [String] = ["cello"]) -> String {
      message { try cutSoundFont(source, to: output, instruments: instruments) }
    }
    #expect(cut(source, ["violin"]).contains("has no violin (40)"))
    #expect(cut(source, ["celo"]).contains("cello"))
    #expect(cut(path("nowhere.sf2")).contains("no such file"))
    #expect(cut("/bin/sh").contains("no RIFF file"))
    #expect(message { try cutSoundFont(source, to: source, instruments: ["cello"]) }.contains("--output"))
    let whole = try Data(contentsOf: URL(fileURLWithPath: source))
    for count in [0, 7, 300, whole.count / 2, whole.count - 60] {
      let short = path("short.sf2")
      try whole.prefix(count).write(to: URL(fileURLWithPath: short))
      #expect(cut(short).contains(count < 12 ? "no RIFF file" : "cut short"))
    }
    var outside = ToyFont.font()
    outside.presets[1].zones[0].generators[0].amount = 9
    #expect(cut(try write(outside, "a.sf2")).contains("instrument that it does not hold"))
    outside = ToyFont.font()
    outside.instruments[1].zones[0].generators[0].amount = 9
    #expect(cut(try write(outside, "b.sf2")).contains("sample that it does not hold"))
    outside = ToyFont.font()
    outside.frames = outside.frames.prefix(20)
    outside.lowBytes = nil
    #expect(cut(try write(outside, "c.sf2")).contains("outside the file"))
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func anyByteMayBeWrong() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let whole = try ToyFont.font().bytes(path: "")
    var state: UInt64 = 3
    func random(_ range: Range<Int>) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return range.lowerBound + Int(state >> 33) % range.count
    }
    for _ in 0..<3000 {
      var damaged = whole
      for _ in 0..<3 {
        damaged[random(0..<damaged.count)] = UInt8(random(0..<256))
      }
      // Whatever is damaged, the answer is a font or an error.
      _ = try? SoundFontFile(damaged, path: "").keeping(path: "") { program, _ in program < 50 }.bytes(
        path: "")
    }
  }

  @Test(arguments: [0, 11, 48])
  func aCutFontSoundsAsTheWholeOne(program: Int) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var options = CorpusOptions(hours: 1, output: folder)
    let whole = try PieceRenderer(options)
    try cutSoundFont(whole.soundFont.path, to: path("cut.sf2"), instruments: ["\(program)"])
    options.soundFont = folder.appendingPathComponent("cut.sf2")
    let cut = try PieceRenderer(options)
    let instrument = try #require(Instrument.catalogue.first { $0.program == program })
    let score = Composer(instrument: instrument, seed: 5).compose(seconds: 20)
    let expected = try whole.render(score, longest: 23)
    let found = try cut.render(score, longest: 23)
    #expect(expected.peak > 0.01)
    #expect(found.channels == expected.channels)
  }
}

/// A font of four presets, small enough to look at.
private enum ToyFont {
  static func font() -> SoundFontFile {
    func name(_ text: String) -> Data { Data(text.utf8) + Data(count: 20 - text.utf8.count) }
    func preset(_ text: String, _ program: UInt32, bank: UInt32 = 0, plays instrument: UInt16)
      -> SoundFontFile.ZoneList
    {
      let header =
        name(text) + RIFF.bytes(program, count: 2) + RIFF.bytes(bank, count: 2) + Data(count: 14)
      let modulator = Data((1...10).map { UInt8($0 + Int(program)) })
      return .init(
        header: header,
        zones: [.init(generators: [.init(operation: 41, amount: instrument)], modulators: [modulator])])
    }
    func instrument(_ text: String, plays samples: [UInt16]) -> SoundFontFile.ZoneList {
      .init(
        header: name(text) + Data(count: 2),
        zones: samples.map { .init(generators: [.init(operation: 53, amount: $0)], modulators: []) })
    }
    func sample(_ text: String, _ range: Range<UInt32>, link: UInt32 = 0, kind: UInt32 = 1)
      -> SoundFontFile.Sample
    {
      let places = [range.lowerBound, range.upperBound, range.lowerBound + 5, range.upperBound - 5, 44_100]
      return .init(
        header: name(text) + places.reduce(into: Data()) { $0 += RIFF.bytes($1) } + Data([60, 0])
          + RIFF.bytes(link, count: 2) + RIFF.bytes(kind, count: 2))
    }
    return SoundFontFile(
      information: RIFF.chunk("ICOP", Data("free for all".utf8)),
      presets: [
        preset("Piano", 0, plays: 0), preset("Cello", 42, plays: 1), preset("Flute", 73, plays: 2),
        preset("Drums", 0, bank: 128, plays: 3),
      ],
      instruments: [
        instrument("piano", plays: [0, 5]), instrument("cello", plays: [1]), instrument("flute", plays: [3]),
        instrument("drums", plays: [4]),
      ],
      samples: [
        sample("piano", 0..<100), sample("cello", 146..<246), sample("flute R", 292..<392, link: 3, kind: 2),
        sample("flute L", 438..<538, link: 2, kind: 4), sample("drums", 584..<684),
        sample("piano too", 0..<100),
      ],
      frames: Data((0..<730 * 2).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }),
      lowBytes: Data((0..<730).map { UInt8(truncatingIfNeeded: $0 &* 7) }))
  }

  static func sound(_ sample: SoundFontFile.Sample, of font: SoundFontFile) -> Data {
    font.frames.dropFirst(sample.start * 2).prefix((sample.end - sample.start) * 2)
  }

  static func lowSound(_ sample: SoundFontFile.Sample, of font: SoundFontFile) -> Data? {
    font.lowBytes?.dropFirst(sample.start).prefix(sample.end - sample.start)
  }

  /// Relative to its start.
  static func loop(_ sample: SoundFontFile.Sample) -> [UInt32] {
    [28, 32].map { RIFF.number(sample.header, at: $0, bytes: 4) - UInt32(sample.start) }
  }
}
