import Foundation
import LegatoAudio
import Synchronization
import Testing

@testable import LegatoTraining

/// These need libfluidsynth and FluidR3, which `make test` installs.
@Suite struct CorpusRenderTests {
  private func options(_ name: String, hours: Double = 0.004) -> CorpusOptions {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "legato-corpus-\(name)-\(UUID())")
    var options = CorpusOptions(hours: hours, output: folder)
    options.pieceSeconds = 6...9
    options.instruments = ["acoustic grand piano", "flute", "xylophone"]
    options.threads = 1
    return options
  }

  private func files(_ folder: URL) throws -> [String: Data] {
    var result: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where path.contains(".") {
      result[path] = try Data(contentsOf: folder.appendingPathComponent(path))
    }
    return result
  }

  @Test func theSameSeedGivesTheSameBytesAtAnyNumberOfThreads() throws {
    let one = options("one")
    var two = options("two")
    two.threads = 2
    defer { for o in [one, two] { try? FileManager.default.removeItem(at: o.output) } }
    let summary = try renderCorpus(one)
    try renderCorpus(two)
    let first = try files(one.output)
    #expect(first == (try files(two.output)))
    #expect(summary.pieces == 2 || summary.pieces == 3)
    #expect(first.count == summary.pieces + 2)
    #expect(summary.hours >= 0.004 * 0.9)

    var other = options("other")
    other.seed = 2
    defer { try? FileManager.default.removeItem(at: other.output) }
    try renderCorpus(other)
    #expect(first["audio/piece-000000.wav"] != (try files(other.output))["audio/piece-000000.wav"])
  }

  @Test func whatIsThereIsKeptAndWhatIsMissingIsMade() throws {
    let whole = options("whole")
    var resumed = options("resumed")
    defer { for o in [whole, resumed] { try? FileManager.default.removeItem(at: o.output) } }
    try renderCorpus(whole)

    resumed.hours = 0.0001
    #expect(try renderCorpus(resumed).pieces == 1)
    // A process was killed: half a row, half a file.
    let manifest = resumed.output.appendingPathComponent("manifest.jsonl")
    let handle = try FileHandle(forWritingTo: manifest)
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("{\"id\":\"piece-0".utf8))
    try handle.close()
    try Data([1, 2, 3]).write(to: resumed.output.appendingPathComponent("audio/.legato-1-2.tmp"))
    resumed.hours = whole.hours
    let summary = try renderCorpus(resumed)
    #expect(summary.rendered == summary.pieces - 1)
    #expect(try files(whole.output) == files(resumed.output))
    #expect(try renderCorpus(resumed).rendered == 0)

    resumed.seed = 9
    #expect { try renderCorpus(resumed) } throws: { "\($0)".contains("seed") }
  }

  @Test func cancellingLeavesNothingHalfWritten() throws {
    let options = options("cancelled", hours: 1)
    defer { try? FileManager.default.removeItem(at: options.output) }
    let finished = Counter()
    #expect(throws: CorpusError.cancelled) {
      try renderCorpus(options) { _ in
        finished.increment()
      } isCancelled: {
        finished.value >= 2
      }
    }
    let names = try FileManager.default.contentsOfDirectory(
      atPath: options.output.appendingPathComponent("audio").path)
    #expect(names.sorted() == ["piece-000000.wav", "piece-000001.wav"])
    #expect(try CorpusManifest(folder: options.output).rows.count == 2)
  }

  @Test(arguments: [0, 12, 13, 24, 40, 48, 73])
  func piecesHaveTheirLevelAndNoSilence(program: Int) throws {
    let instrument = try #require(Instrument.catalogue.first { $0.program == program })
    var options = CorpusOptions(hours: 1, output: URL(fileURLWithPath: "/"))
    options.sampleRate = 24_000
    let renderer = try PieceRenderer(options)
    let score = Composer(instrument: instrument, seed: 21).compose(seconds: 30)
    let audio = try renderer.render(score, longest: 33)
    let seconds = audio.duration
    let left = audio.channels[0]
    #expect(seconds > 29 && seconds <= 33)
    #expect(audio.peak <= 0.8913)
    let powers = stride(from: 0, to: left.count - 2_400, by: 2_400).map { start in
      left[start..<start + 2_400].reduce(0) { $0 + $1 * $1 } / 2_400
    }
    let level = powers.reduce(0, +) / Float(powers.count)
    #expect(level > 0.002 && level < 0.03)
    // −60 dBFS, in steps of 0.1 s.
    let silent = powers.map { $0 < 1e-6 }
    var longest = 0
    var run = 0
    for x in silent {
      run = x ? run + 1 : 0
      longest = max(longest, run)
    }
    #expect(longest < 15)
    #expect(run <= 5)
    #expect(abs(left.last ?? 1) < 1e-4)
  }

  @Test func splitsShareNoSeedAndHeldOutInstrumentsAreNowhereElse() throws {
    var options = options("plan", hours: 40)
    options.pieceSeconds = nil
    options.instruments = []
    let pieces = try PiecePlan.pieces(options)
    #expect(Set(pieces.map(\.seed)).count == pieces.count)
    #expect(pieces.allSatisfy { (60...600).contains($0.seconds) })
    let bySplit = Dictionary(grouping: pieces, by: \.split)
    #expect(CorpusSplit.allCases.allSatisfy { !(bySplit[$0] ?? []).isEmpty })
    let held = Set((bySplit[.heldOutInstruments] ?? []).map(\.instrument))
    #expect((4...7).contains(held.count))
    for split in [CorpusSplit.train, .validation, .test] {
      #expect(held.isDisjoint(with: (bySplit[split] ?? []).map(\.instrument)))
    }
    // More hours only add pieces.
    options.hours = 20
    let fewer = try PiecePlan.pieces(options)
    #expect(fewer == Array(pieces.prefix(fewer.count)))
    // A handful of instruments is not thinned out.
    options.instruments = ["0", "40", "73"]
    #expect(try PiecePlan.pieces(options).allSatisfy { $0.split != .heldOutInstruments })
  }

  @Test func mistakesAreExplained() throws {
    func message(_ change: (inout CorpusOptions) -> Void) -> String {
      var options = options("bad")
      change(&options)
      defer { try? FileManager.default.removeItem(at: options.output) }
      do {
        try renderCorpus(options)
        return ""
      } catch { return "\(error)" }
    }
    #expect(message { $0.hours = .nan }.contains("hours"))
    #expect(message { $0.hours = -1 }.contains("hours"))
    #expect(message { $0.minimumMinutes = 11 }.contains("1 to 10 minutes"))
    #expect(message { $0.threads = 0 }.contains("threads"))
    #expect(message { $0.soundFont = URL(fileURLWithPath: "/nowhere.sf2") }.contains("fluid-soundfont-gm"))
    #expect(message { $0.soundFont = URL(fileURLWithPath: "/bin/sh") }.contains("cannot be loaded"))
    #expect(message { $0.output = URL(fileURLWithPath: "/proc/legato") }.contains("cannot write"))
    #expect(message { $0.instruments = ["pianno"] }.contains("piano"))
    #expect { try FluidSynthLibrary(names: ["libnothing.so"]) } throws: {
      "\($0)".contains("apt-get install libfluidsynth3")
    }
  }
}

private final class Counter: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func increment() { count.withLock { $0 += 1 } }
}
