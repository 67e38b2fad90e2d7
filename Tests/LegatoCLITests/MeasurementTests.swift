import ArgumentParser
import Foundation
import Legato
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining
import Testing

@testable import LegatoCLI

/// What `compare`, `drift` and `evaluate` compute, as a user types them.
@Suite(.serialized) final class MeasurementTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func legato(_ arguments: String...) throws -> LegatoProcess.Result {
    try LegatoProcess.run(arguments, in: folder.url)
  }

  private func objects(_ result: LegatoProcess.Result) throws -> [[String: Any]] {
    try #require(result.status == 0, "\(result.error)")
    return try result.text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  private func noise(seconds: Double, seed: UInt64, gain: Float = 0.1) -> AudioBuffer {
    let count = Int(seconds * 48_000)
    let samples = RandomStream(seed: seed, stream: 0).normal(count).map { $0 * gain }
    return AudioBuffer(sampleRate: 48_000, channels: [samples, samples])
  }

  /// Packages a and b, with one codec, and latents of four pieces: two to train, one each to validate and to test.
  private func prepareLatents() throws {
    try TinyPackage.write(to: folder.path("a"), seed: 1)
    try TinyPackage.write(to: folder.path("b"), seed: 1)
    var rows = ""
    for (index, split) in ["train", "train", "validation", "test"].enumerated() {
      try AudioFile.write(noise(seconds: 6, seed: UInt64(index)), to: folder.path("\(index).wav"))
      rows += "{\"path\":\"\(index).wav\",\"split\":\"\(split)\"}\n"
    }
    try rows.write(toFile: folder.path("manifest.jsonl"), atomically: true, encoding: .utf8)
    let result = try legato(
      "prepare", "manifest.jsonl", "--codec", "a/codec", "--output", "latents", "--excerpts", "0", "--quiet")
    try #require(result.status == 0, "\(result.error)")
  }

  @Test func driftTriesEveryCombination() throws {
    try TinyPackage.write(to: folder.path("a"), seed: 1)
    let settings = try DriftSetting.all(
      models: ["x=\(folder.path("a"))"],
      variants: SettingVariants.parse(["--temperature", "1", "--steps", "1", "--steps", "16"]),
      feedbackGains: [1, 1.1], style: StyleOption.parse([]))
    #expect(
      settings.map(\.name) == [
        "x, steps 1, feedback gain 1.0", "x, steps 1, feedback gain 1.1", "x, steps 16, feedback gain 1.0",
        "x, steps 16, feedback gain 1.1",
      ])
    #expect(
      settings.map(\.generation.steps) == [1, 1, 16, 16]
        && settings.allSatisfy { $0.generation.temperature == 1 })
  }

  @Test func driftSaysWhatItCannotShow() throws {
    try TinyPackage.write(to: folder.path("a"), window: 256)
    try FileManager.default.createDirectory(atPath: folder.path("real"), withIntermediateDirectories: true)
    for index in 0..<6 {
      var sound = noise(seconds: 5 + Double(index), seed: UInt64(index), gain: index < 2 ? 0 : 0.1)
      if index == 5 { sound = try sound.resampled(to: 16_000) }
      try AudioFile.write(sound, to: folder.path("real/\(index).wav"))
    }
    let result = try legato(
      "drift", "--recordings", "real", "--model", "a", "--duration", "2s", "--bin", "2", "--count", "2",
      "--output", "out")
    try #require(result.status == 0, "\(result.error)")
    for part in [
      "2 of 6 real recordings are silent, such as", "real recordings have 16000, 48000 Hz",
      "generations of 2s are not several times as long",
    ] { #expect(result.error.contains("warning: ") && result.error.contains(part), "\(result.error)") }
  }

  @Test func comparingKnowsAHalvedCopy() throws {
    try AudioFile.write(noise(seconds: 2, seed: 1), to: folder.path("loud.wav"), format: .float32)
    try AudioFile.write(noise(seconds: 2, seed: 1, gain: 0.05), to: folder.path("half.wav"), format: .float32)
    let same = try objects(legato("compare", "loud.wav", "loud.wav", "--json"))
    #expect(same[0]["mel_distance"] as? Double == 0 && same[0]["spectral_convergence"] as? Double == 0)
    let half = try objects(legato("compare", "loud.wav", "half.wav", "--json", "--picture", "both.png"))
    let png = try Data(contentsOf: folder.url.appendingPathComponent("both.png"))
    #expect(png.prefix(4) == Data([0x89, 0x50, 0x4e, 0x47]) && png.count > 2000)
    // Half the amplitude is ln 2 less in every band, and half of every magnitude is missing.
    #expect(abs((half[0]["mel_distance"] as? Double ?? 0) - log(2)) < 0.01, "\(half)")
    #expect(abs((half[0]["log_magnitude"] as? Double ?? 0) - log(2)) < 0.01, "\(half)")
    #expect(abs((half[0]["spectral_convergence"] as? Double ?? 0) - 0.5) < 0.01, "\(half)")
  }

  @Test func measuringTellsWhatIsThere() throws {
    try AudioFile.write(noise(seconds: 6, seed: 1), to: folder.path("noise.wav"))
    try AudioFile.write(
      TinyPackage.recording(seconds: 6, sampleRate: 48_000, channels: 2), to: folder.path("chord.wav"))
    let both = try objects(
      legato("measure", "noise.wav", "chord.wav", "--from", "1", "--seconds", "4", "--json"))
    #expect(both.compactMap { $0["file"] as? String } == ["noise.wav", "chord.wav"])
    let measures = try both.map { try #require($0["measure"] as? [String: Double]) }
    #expect((measures[0]["pitch_salience"] ?? 1) < 0.4 && (measures[0]["pitch_class_entropy"] ?? 0) > 3.3)
    // Three pitch classes alike: log2 3 bits.
    #expect(abs((measures[1]["pitch_class_entropy"] ?? 0) - 1.585) < 0.1, "\(measures[1])")
    #expect((measures[1]["pitch_salience"] ?? 0) > 0.9, "\(measures[1])")
    let table = try legato("measure", "noise.wav", "chord.wav")
    #expect(table.text.contains("median") && table.text.split(separator: "\n").count == 6, "\(table.text)")
    let late = try legato("measure", "chord.wav", "--from", "9")
    #expect(late.status == 1 && late.error.contains("chord.wav: it lasts 6.0 s"), "\(late.error)")
    let short = try legato("measure", "chord.wav", "--from", "5")
    #expect(short.status == 1 && short.error.contains("at least 2 s"), "\(short.error)")
  }

  /// Pieces of noise whose loudness tells them apart: 16 to train on, 20 held out.
  private func recordings() throws {
    var rows = ""
    for index in 0..<36 {
      try AudioFile.write(
        noise(seconds: 6, seed: UInt64(index), gain: 0.02 * Float(1 + index % 5)),
        to: folder.path("\(index).wav"))
      rows += "{\"path\":\"\(index).wav\",\"split\":\"\(index < 16 ? "train" : "test")\"}\n"
    }
    try rows.write(toFile: folder.path("manifest.jsonl"), atomically: true, encoding: .utf8)
  }

  @Test func driftPutsModelsAndSettingsSideBySide() throws {
    for name in ["a", "b"] { try TinyPackage.write(to: folder.path(name), seed: 1) }
    try recordings()
    let common = [
      "drift", "--recordings", "manifest.jsonl", "--duration", "6s", "--bin", "2", "--count", "3",
    ]
    func drift(_ arguments: String...) throws -> [[String: Any]] {
      try objects(LegatoProcess.run(common + arguments + ["--json"], in: folder.url))
    }
    func report(_ object: [String: Any]) -> [String: Any] { object["report"] as? [String: Any] ?? [:] }
    func names(_ objects: [[String: Any]]) -> [String] {
      objects.compactMap { report($0)["name"] as? String }
    }
    func distances(_ object: [String: Any]) -> [Double] {
      report(object)["sound_distances"] as? [Double] ?? []
    }
    let both = try drift(
      "--training", "manifest.jsonl", "--model", "a", "--model", "b", "--context-noise", "0",
      "--context-noise", "0.5", "--output", "both")
    // One name for both models, so that their paths tell them apart.
    #expect(
      names(both) == [
        "a, context noise 0.0", "a, context noise 0.5", "b, context noise 0.0", "b, context noise 0.5",
      ])
    // Three stretches of three sounds; equal weights and seeds give equal sounds, other noise others.
    #expect(both.allSatisfy { (report($0)["stretches"] as? [Any])?.count == 3 })
    #expect(distances(both[0]).count == 3)
    #expect(distances(both[0]) == distances(both[2]) && distances(both[1]) == distances(both[3]))
    #expect(distances(both[0]) != distances(both[1]))
    // A random model is nothing like the recordings.
    let measures = try #require(report(both[0])["measures"] as? [String: [String: Any]])
    #expect((report(both[0])["flags"] as? [String])?.isEmpty == false)
    #expect(report(both[0])["copying"] != nil && measures["distance_to_previous"] != nil)

    let text = try String(contentsOfFile: folder.path("both.md"), encoding: .utf8)
    #expect(text.contains("## a, context noise 0.0") && text.contains("(both.svg)"))
    // What training trains on is left out.
    #expect(text.contains("of 20 real recordings") && text.contains("fewer than 64"), "\(text)")
    #expect(
      try String(contentsOfFile: folder.path("both.svg"), encoding: .utf8).contains("b, context noise 0.5"))
    let whole = try JSONSerialization.jsonObject(
      with: Data(contentsOf: folder.url.appending(path: "both.json")))
    #expect(((whole as? [String: Any])?["systems"] as? [Any])?.count == 4)

    let warm = try drift("--model", "a", "--temperature", "0.7", "--temperature", "1", "--output", "warm")
    #expect(names(warm) == ["tiny-noise, temperature 0.7", "tiny-noise, temperature 1.0"])
    #expect(distances(warm[0]) != distances(warm[1]))
    let loud = try drift("--model", "a", "--feedback-gain", "0.5", "--feedback-gain", "1", "--output", "loud")
    #expect(names(loud) == ["tiny-noise, feedback gain 0.5", "tiny-noise, feedback gain 1.0"])
    #expect(distances(loud[0]) != distances(loud[1]))
    #expect((loud[0]["settings"] as? [String: Any])?["feedback_gain"] as? Double == 0.5)
    let listed = try String(contentsOfFile: folder.path("loud.md"), encoding: .utf8)
    #expect(listed.contains("feedback gain 0.5, 3 sounds"), "\(listed)")

    let group = try drift(
      "--model", "x=a", "--model", "x=b", "--output", "group", "--worst-audio", "worst.wav")
    #expect(names(group) == ["x #1", "x #2"])
    let groups = try String(contentsOfFile: folder.path("group.md"), encoding: .utf8)
    #expect(groups.contains("| x | 2 |"), "\(groups)")
    #expect(try AudioFile.info(folder.path("worst-2.wav")).frames == 6 * 48_000)
  }

  @Test func measuringComparesWithRealRecordings() throws {
    try recordings()
    try AudioFile.write(
      TinyPackage.recording(seconds: 6, sampleRate: 48_000, channels: 2), to: folder.path("chord.wav"))
    let reference = ["--reference", "manifest.jsonl", "--split", "test", "--json"]
    func distance(_ files: String...) throws -> [String: Any] {
      try #require(
        try objects(LegatoProcess.run(["measure"] + files + reference, in: folder.url)).last)
    }
    func frechet(_ object: [String: Any]) throws -> Double {
      let distance = object["distance"] as? [String: Any]
      return try #require((distance?["frechet_distance"] as? [String: Any])?["value"] as? Double)
    }
    let alike = try distance("0.wav", "1.wav", "2.wav", "3.wav", "4.wav")
    #expect(try 20 * frechet(alike) < frechet(distance("chord.wav")))
    let floor = try #require((alike["floor"] as? [String: Any])?["frechet_distance"] as? Double)
    #expect(try frechet(alike) < 3 * floor)
    // A recording of the reference is compared with the others.
    #expect(try distance("20.wav")["recordings"] as? Int == 19)
    let text = try legato("measure", "0.wav", "1.wav", "--reference", ".", "--split", "test")
    #expect(text.text.contains("against 20 real recordings"), "\(text.text)\(text.error)")
  }

  @Test func latentsAreComparedToo() throws {
    try prepareLatents()
    try recordings()
    let result = try objects(
      legato(
        "drift", "--recordings", "manifest.jsonl", "--split", "test", "--latents", "latents", "--model", "a",
        "--duration", "6s", "--bin", "2", "--count", "2", "--output", "out", "--json"))
    let report = try #require(result[0]["report"] as? [String: Any])
    let stretches = try #require(report["stretches"] as? [[String: Any]])
    #expect(stretches.count == 3 && stretches.allSatisfy { $0["latents"] != nil } && report["latents"] != nil)
    let text = try String(contentsOfFile: folder.path("out.md"), encoding: .utf8)
    #expect(text.contains("Fréchet distance of latents"))
  }

  @Test func continuationsAreHeardAsInstruments() throws {
    try TinyPackage.write(to: folder.path("a"), seed: 1)
    // Chords and noise are two instruments.
    var rows = ""
    for index in 0..<12 {
      let isNoise = index % 2 == 0
      let sound =
        isNoise
        ? noise(seconds: 8, seed: UInt64(index))
        : TinyPackage.recording(seconds: 8 + Double(index) / 10, sampleRate: 48_000, channels: 2)
      try AudioFile.write(sound, to: folder.path("\(index).wav"))
      rows += "{\"path\":\"\(index).wav\",\"split\":\"\(index < 8 ? "train" : "test")\","
      rows += "\"instrument\":\"\(isNoise ? "noise" : "chord")\"}\n"
    }
    try rows.write(toFile: folder.path("manifest.jsonl"), atomically: true, encoding: .utf8)
    let common = [
      "instruments", "--training", "manifest.jsonl", "--prompts", ".", "--model", "a", "--prompt-seconds",
      "2", "--seconds", "2",
    ]
    let report = try #require(try objects(LegatoProcess.run(common + ["--json"], in: folder.url)).first)
    #expect(report["prompts"] as? Int == 4 && report["training_recordings"] as? Int == 8)
    #expect((report["real"] as? [String: Any])?["value"] as? Double == 1)
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.allSatisfy { $0["label"] as? String == $0["real"] as? String })
    for result in results {
      let measures = try #require(result["measures"] as? [String: [String: Double]])
      let salience = try #require(measures["real"]?["pitch_salience"])
      #expect((salience > 0.7) == (result["label"] as? String == "chord"), "\(salience)")
      #expect(measures["continuation"]?["level_dbfs"] != measures["codec"]?["level_dbfs"])
    }
    let text = try LegatoProcess.run(common, in: folder.url)
    #expect(text.text.contains("4 prompts") && text.text.contains("continuations by tiny-noise"))
    #expect(text.text.contains("medians: recordings") && text.text.contains("pitch salience"), "\(text.text)")
    // A second is too short for medians; other settings give other continuations.
    func levels(_ arguments: String...) throws -> [Double?] {
      let report = try #require(
        try objects(LegatoProcess.run(common + arguments + ["--json"], in: folder.url)).first)
      return (report["results"] as? [[String: Any]] ?? []).map {
        ($0["measures"] as? [String: [String: Double]])?["continuation"]?["level_dbfs"]
      }
    }
    #expect(try levels("--seconds", "1") == [nil, nil, nil, nil])
    let own = try levels()
    #expect(try own.count == 4 && levels("--feedback-gain", "2") != own && levels("--steps", "3") != own)
    let unlabelled = try LegatoProcess.run(common + ["--label", "colour"], in: folder.url)
    #expect(unlabelled.status == 1 && unlabelled.error.contains("no recording has a 'colour'"))
  }

  @Test func latentsOfAnotherCodecAreRefused() throws {
    try prepareLatents()
    try TinyPackage.write(to: folder.path("other"), seed: 2)
    for command in [["drift", "--recordings", ".", "--output", "out"], ["evaluate", "loss"]] {
      let result = try LegatoProcess.run(
        command + ["--latents", "latents", "--model", "other"], in: folder.url)
      #expect(
        result.status == 1 && result.error.contains("latents were made with the codec"), "\(result.error)")
    }
    #expect(!folder.contents.contains("out.md"))
  }

  @Test func evaluateGivesTheLossByPosition() throws {
    try prepareLatents()
    let results = try objects(
      legato("evaluate", "loss", "--latents", "latents", "--model", "a", "--json", "--picture", "loss.svg"))
    #expect(results.count == 2)
    for result in results {
      let loss = try #require(result["loss"] as? [String: Any])
      let positions = try #require(loss["positions"] as? [Double])
      #expect(positions.count == 64 && loss["window"] as? Int == 16 && loss["clips"] as? Int == 2)
      let mean = try #require(loss["mean"] as? Double)
      #expect(abs(mean - positions.reduce(0, +) / 64) < 1e-9)
      // Untrained: about the variance of data and noise, 1 each.
      #expect(mean > 1 && mean < 3.5, "\(mean)")
    }
    #expect(
      try String(contentsOfFile: folder.path("loss.svg"), encoding: .utf8).contains("context noise 0.0"))

    let long = try legato("evaluate", "loss", "--latents", "latents", "--model", "a", "--positions", "500")
    #expect(
      long.status == 1 && long.error.contains("no validation or test piece holds 500 latents"),
      "\(long.error)")
  }

  @Test func theStepIsTakenWhereTheWindowEnds() throws {
    // Velocity 0 costs the energy of what is to be drawn and of the noise: 1 before the start frame leaves the
    // window of 16, 1 + 4 from there on.
    let sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    let model = try ContinuousModel(sizes, weights: RandomWeights(seed: 3, everywhere: 0))
    let clips = (0..<24).map { clip in
      RandomStream(seed: 9, stream: UInt64(clip)).normal(32 * 16).enumerated().map {
        $0 < 16 * 16 ? 0 : 2 * $1
      }
    }
    let loss = LossByPosition(
      of: model, on: clips, contextNoise: 0, noiseLaw: .linear, engine: CPUEngine(threads: 1))
    #expect(loss.window == 16 && loss.clips == 24)
    let error = try #require(loss.stepError)
    #expect(abs(loss.step - 4) < 4 * error && error < 0.2, "\(loss.step) ± \(error)")
    #expect(loss.positions[..<16].allSatisfy { abs($0 - 1) < 0.2 }, "\(loss.positions)")
    #expect(loss.positions[16...].allSatisfy { abs($0 - 5) < 1 }, "\(loss.positions)")
  }

  @Test(arguments: [Float(1), 2]) func drawsAreHeldAgainstWhatCame(_ temperature: Float) throws {
    // Velocity 0 draws the noise that it starts from: of variance T² where the data have 4, so that 2 is right.
    let sizes = try #require(ContinuousModelConfiguration.preset("tiny"))
    let model = try ContinuousModel(sizes, weights: RandomWeights(seed: 3, everywhere: 0))
    let clips = (0..<40).map { RandomStream(seed: 9, stream: UInt64($0)).normal(64 * 16).map { 2 * $0 } }
    var options = GenerationOptions()
    (options.temperature, options.contextNoise) = (temperature, 0.3)
    let found = try #require(
      try OneStepDraws(of: model, options: options, clips: clips, draws: 5, every: 4, threads: 2))
    #expect(found.pieces == 40 && found.positions == 40 * 15 && found.draws == 5)
    let share = Double(temperature * temperature) / 4
    for figure in [found.power, try #require(found.spread)] {
      let error = try #require(figure.standardError)
      #expect(abs(figure.value - share) < 4 * error && error < 0.03 * share, "\(figure)")
    }
    // Of 16 dimensions a normal vector's length is 0.9845 √16 of its deviation, on average.
    let t = Double(temperature)
    let score = 0.9845 * ((4 + t * t).squareRoot() - t / 2.0.squareRoot())
    #expect(abs(found.energyScore.value - score) < 0.02 * score, "\(found.energyScore), not \(score)")
  }

  @Test func evaluateGivesDrawsAfterRealPasts() throws {
    try prepareLatents()
    let arguments = [
      "evaluate", "draws", "--latents", "latents", "--model", "x=a", "--draws", "3", "--context-noise", "0",
      "--temperature", "1", "--temperature", "0.5", "--json",
    ]
    let result = try LegatoProcess.run(arguments, in: folder.url)
    let results = try objects(result)
    #expect(results.map { $0["model"] as? String } == ["x", "x"])
    let power = try results.map {
      let draws = try #require($0["draws"] as? [String: Any])
      #expect(draws["pieces"] as? Int == 2 && draws["draws"] as? Int == 3)
      return try #require((draws["power"] as? [String: Double])?["value"])
    }
    // Untrained, it draws little but its noise.
    #expect(abs(power[1] / power[0] - 0.25) < 0.05, "\(power)")
    #expect(try LegatoProcess.run(arguments, in: folder.url).text == result.text)
    let all = try objects(
      LegatoProcess.run(
        arguments + ["--split", "train", "--split", "validation", "--split", "test"], in: folder.url))
    #expect((all[0]["draws"] as? [String: Any])?["pieces"] as? Int ?? 0 > 2)
    let steps = try objects(
      LegatoProcess.run(arguments + ["--steps", "1", "--steps", "3"], in: folder.url))
    #expect(steps.map { $0["steps"] as? Int } == [1, 3, 1, 3])
    let none = try LegatoProcess.run(arguments + ["--steps", "0"], in: folder.url)
    #expect(none.status == 64 && none.error.contains("steps is 0"), "\(none.error)")
    let one = try LegatoProcess.run(arguments + ["--draws", "1"], in: folder.url)
    #expect(one.status == 64 && one.error.contains("from 2"), "\(one.error)")
  }

  @Test func theShippedModelKeepsItsFootingWhenTheStartLeavesTheWindow() throws {
    let shipped = try #require(PackageLocation.upward(from: #filePath))
    // Piano that no training saw: another seed.
    for arguments in [
      [
        "corpus", "--hours", "0.2", "--seed", "977", "--maximum-minutes", "1", "--instrument",
        "acoustic grand piano", "--output", "corpus", "--quiet",
      ],
      [
        "prepare", "corpus", "--codec", shipped + "/codec", "--output", "unseen", "--excerpts", "0",
        "--quiet",
      ],
    ] {
      let result = try LegatoProcess.run(arguments, in: folder.url)
      try #require(result.status == 0, "\(result.error)")
    }
    let package = try ModelPackage(path: shipped)
    let data = try LatentDataset(path: folder.path("unseen"), codecHash: package.codec.hash)
    let window = package.configuration.model.backbone.window
    let clips = try data.index.pieces.filter { $0.frames >= 4 * window }.map {
      try data.crop(piece: $0, start: 0, count: 4 * window)
    }
    try #require(clips.count >= 10)
    let generation = package.configuration.generation
    for noise in [0, generation.contextNoise] {
      let loss = LossByPosition(
        of: package.model, on: clips, contextNoise: noise, noiseLaw: generation.noiseLaw,
        engine: CPUEngine(threads: 2))
      // Predicting zero velocity costs 2; the music's own ups and downs are in the standard error.
      let error = try #require(loss.stepError)
      #expect(loss.mean < 0.7, "\(loss.mean)")
      #expect(loss.step < 0.03 + 3 * error && error < 0.05, "noise \(noise): \(loss.step) ± \(error)")
      // No later collapse either: what comes after a beginning is a little harder to guess, no more.
      let (first, last) = (loss.positions.prefix(window), loss.positions.suffix(window))
      #expect(last.reduce(0, +) < 1.3 * first.reduce(0, +))
    }
  }
}
