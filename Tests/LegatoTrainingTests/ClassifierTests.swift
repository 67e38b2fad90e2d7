import Foundation
import LegatoModels
import LegatoTensor
import LegatoTorch
import Testing

@testable import LegatoTraining

/// These need libfluidsynth and FluidR3, and libtorch, which `make test` installs.
@Suite(.serialized) struct ClassifierTests {
  /// A corpus of short pieces.
  private static func corpus(
    _ folder: ScratchFolder, instruments: [String], hours: Double, seed: UInt64 = 977
  ) throws -> String {
    var options = CorpusOptions(hours: hours, output: URL(fileURLWithPath: folder.path + "/corpus"))
    options.pieceSeconds = 8...8
    options.instruments = instruments
    options.seed = seed
    try renderCorpus(options)
    return folder.path + "/corpus"
  }

  @Test func aNoteSoundsUntilPedalOrDecayEndIt() throws {
    func score(_ program: Int, pedal: [(Double, Int)] = []) throws -> Score {
      let instrument = try #require(Instrument.catalogue.first { $0.program == program })
      var score = Score(
        instrument: instrument,
        notes: [
          .init(onset: 0.5, duration: 0.25, key: 60, velocity: 80),
          .init(onset: 1, duration: 4, key: 64, velocity: 80),
        ], tonic: "C", mode: "major", meter: "4/4", tempo: 120, style: "", form: "")
      score.controls = pedal.map {
        .init(time: $0.0, action: .control(controller: 64, value: $0.1))
      }
      return score
    }
    func ends(_ score: Score) -> [Int: Double] {
      Dictionary(uniqueKeysWithValues: score.soundings.map { ($0.key, $0.end) })
    }
    #expect(ends(try score(0)) == [60: 0.75, 64: 3])
    #expect(ends(try score(0, pedal: [(0.25, 127), (1.25, 0)])) == [60: 1.25, 64: 3])
    #expect(ends(try score(0, pedal: [(0.25, 127), (0.5, 0), (2, 127), (3, 0)])) == [60: 0.75, 64: 3])
    #expect(ends(try score(13)) == [60: 0.75, 64: 1.5])
    #expect(ends(try score(40)) == [60: 0.75, 64: 5])
  }

  @Test func examplesSayWhatSoundsInThem() throws {
    let folder = try ScratchFolder()
    let path = try Self.corpus(folder, instruments: ["church organ", "flute"], hours: 0.012)
    let data = try NoteWindows(corpus: path, known: nil)
    #expect(data.instruments.map(\.program) == [19, 73] && data.strangers.isEmpty)
    // A package that knows no flute learns from the organ alone, and that is said.
    let organ = try NoteWindows(
      corpus: path, known: [data.instruments[0], .init(program: 0, name: "", family: "")])
    #expect(organ.strangers == ["flute"] && organ.hours(.train) < 0.75 * data.hours(.train))
    let random = RandomStream(seed: 4, stream: 9)
    let batch = try data.batch(.train, count: 12, random: random)
    let again = try data.batch(.train, count: 12, random: random)
    #expect(batch.samples == again.samples && batch.keys == again.keys)
    #expect(
      try data.batch(.train, count: 12, random: RandomStream(seed: 4, stream: 10)).samples != batch.samples)
    #expect(batch.samples.count == 12 * 48_000 && batch.keys.count == 12 * 88)
    for row in 0..<12 {
      let shares = batch.instruments[2 * row..<2 * row + 2]
      #expect([[1, 0], [0, 1], [0.5, 0.5]].contains(Array(shares)))
      #expect(batch.keys[88 * row..<88 * (row + 1)].contains(1))
      #expect(batch.samples[48_000 * row..<48_000 * (row + 1)].contains { abs($0) > 1e-3 })
    }
    // A flute plays one note at a time: what the spectrum is loudest at is the key, or a partial of it.
    let flute = try #require(data.pieces[.train]?.first { $0.instrument == 1 })
    let note = try #require(flute.soundings.max { $0.end - $0.start < $1.end - $1.start })
    let first = Int((note.start + 0.2) * 48_000)
    let samples = try data.samples(of: flute, from: first)
    let frame = LogFrequencySpectrum.of(CPUEngine(threads: 1).tensor(samples, shape: [1, 48_000]))
      .slice(axis: 1, 0..<1).floats()
    let loudest = Double(frame.indices.max { frame[$0] < frame[$1] } ?? 0) / 2 + 21
    let partials = [0, 12, 19, 24].map { Double(note.key) + $0 }
    #expect(partials.contains { abs($0 - loudest) <= 0.5 }, "\(note.key) is heard as \(loudest)")
    #expect(data.keys(of: flute, from: first).contains(note.key - 21))
  }

  @Test func whatIsNoCorpusIsSaid() throws {
    let folder = try ScratchFolder()
    func says(_ words: String..., of path: String) {
      #expect {
        _ = try NoteWindows(corpus: path, known: nil)
      } throws: { error in
        error is TrainingError && (words + ["legato corpus"]).allSatisfy { "\(error)".contains($0) }
      }
    }
    says("there is no manifest.jsonl", of: folder.path)
    let path = try Self.corpus(folder, instruments: ["flute"], hours: 0.002)
    says("1 instruments; there must be at least two", of: path)
    let manifest = path + "/manifest.jsonl"
    let text = try String(contentsOfFile: manifest, encoding: .utf8)
    // A row of another instrument, as a Legato of before wrote it.
    let older = text.replacing("\"composed_s\":8,", with: "")
      .replacing("\"program\":73", with: "\"program\":40")
    try (text + older).write(toFile: manifest, atomically: true, encoding: .utf8)
    says("rendered by another Legato", of: path)
  }

  @Test func itLearnsAndGoesOn() throws {
    let folder = try ScratchFolder()
    let path = try Self.corpus(folder, instruments: ["church organ", "xylophone"], hours: 0.06)
    let yaml = """
      kind: classifier
      name: tiny
      device: cpu
      threads: 2
      steps: 40
      batch_size: 8
      data: {corpus: \(path)}
      classifier: {width: 32, blocks: 1, dimension: 16}
      optimizer: {learning_rate: 3e-3, warmup_steps: 5, schedule: constant}
      ema: {decay: 0.9}
      checkpoint: {every_steps: 20}
      evaluate: {every_steps: 5, batches: 2}
      log: {every_steps: 1}
      """
    var options = TrainerOptions()
    options.style = .quiet
    func train(_ run: String, _ settings: String...) throws -> TrainingOutcome {
      try Trainer.run(
        recipe: try Recipe(yaml: yaml, settings: settings), folder: folder.path + "/" + run, options: options)
    }
    let whole = try train("whole")
    #expect(whole.end == .finished)
    let log = try String(contentsOfFile: folder.path + "/whole/progress.jsonl", encoding: .utf8)
    let losses = try log.split(separator: "\n").compactMap { line in
      try (JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["validation_loss"]
        as? Double
    }
    let (first, last) = (try #require(losses.first), try #require(losses.last))
    #expect(last < 0.8 * first, "\(first) → \(last)")
    // Organ and xylophone are told apart after a minute of sound, in pieces that were not trained on.
    let package = try NoteClassifierPackage(path: try #require(whole.package))
    let accuracy = try #require(package.configuration.accuracy["held_out_pieces"])
    #expect(accuracy.pieces >= 1 && (accuracy.instrument ?? 0) > 0.8, "\(accuracy.summary)")
    let card = try String(contentsOfFile: package.path + "/README.md", encoding: .utf8)
    #expect(card.contains(accuracy.summary) && card.contains("kind: classifier"))

    // Stopping and going on gives the same weights, and a package starts another run.
    #expect(try train("parts", "steps=25").step == 25)
    #expect(try train("parts").step == 40)
    let parts = try NoteClassifierPackage(path: folder.path + "/parts/package")
    #expect(parts.sha256 == package.sha256)
    let tuned = try train("tuned", "from=\(package.path)", "steps=1", "classifier.width=64")
    #expect(
      try NoteClassifierPackage(path: try #require(tuned.package)).classifier.configuration
        == package.classifier.configuration)
  }

  /// What ships, on pieces that it never heard: its training corpus has seed 20. Not an easy choice: FluidR3 makes a violin
  /// of the same samples as a fiddle, and a grand piano as a bright one. By chance one guess in 99 is right.
  @Test func whatShipsHears() throws {
    let folder = try ScratchFolder()
    let path = try Self.corpus(
      folder,
      instruments: ["acoustic grand piano", "nylon guitar", "church organ", "violin", "trumpet", "flute"],
      hours: 0.04)
    let shipped = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent(NoteClassifierPackage.shipped).path
    let package = try NoteClassifierPackage(path: shipped)
    let data = try NoteWindows(corpus: path, known: package.classifier.configuration.instruments)
    let pieces = data.pieces.values.flatMap { $0 }.sorted { $0.path < $1.path }
    let accuracy = try data.accuracy(
      of: package.classifier, hearing: pieces.map { [$0] }, engine: CPUEngine(threads: 2))
    #expect(accuracy.pieces == 18)
    #expect((accuracy.instrument ?? 0) > 0.55, "\(accuracy.summary)")
    #expect(accuracy.family > 0.7 && accuracy.keyF1 > 0.78, "\(accuracy.summary)")
  }
}
