import Foundation
import LegatoAudio
import LegatoModels
import LegatoTraining
import Testing

@testable import LegatoCLI

/// The whole path at toy size, as a user types it: corpus → codec → latents → model → sound.
///
/// Needs what `make test` sets up: FluidSynth with a font, and the libtorch plug-in.
@Suite(.serialized) struct EndToEndTests {
  private let folder: TemporaryFolder
  static let recipes = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Recipes").path

  init() throws { folder = try TemporaryFolder() }

  @discardableResult
  private func legato(_ arguments: String...) throws -> String {
    let result = try LegatoProcess.run(arguments, in: folder.url)
    try #require(result.status == 0, "legato \(arguments.joined(separator: " ")): \(result.error)")
    return result.text
  }

  private func info(_ path: String) throws -> [String: Any] {
    let text = try legato("info", path, "--json")
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test func fromCorpusToSound() throws {
    // Five pieces of a minute, so that the fifth is there to validate.
    try legato(
      "corpus", "--hours", "0.08", "--maximum-minutes", "1", "--instrument", "piano", "--output", "corpus",
      "--quiet")
    #expect(try info("corpus")["kind"] as? String == "corpus")

    try legato(
      "train", Self.recipes + "/toy-codec.yaml", "--set", "data.corpus=corpus", "--set", "steps=30",
      "--output",
      "codec",
      "--threads", "1", "--quiet")
    #expect(try info("codec/package")["kind"] as? String == "codec package")
    #expect(try info("codec")["step"] as? Int == 30)

    try legato(
      "prepare", "corpus", "--codec", "codec/package", "--output", "latents", "--excerpts", "2", "--quiet")
    let latents = try info("latents")
    #expect(latents["kind"] as? String == "prepared latents")
    #expect((latents["pieces"] as? Int ?? 0) >= 5)

    let train = [
      "train", Self.recipes + "/toy-model.yaml", "--set", "data.latents=latents", "--set", "steps=30",
      "--output",
      "model",
      "--threads", "1", "--json",
    ]
    let first = try LegatoProcess.run(train, in: folder.url)
    try #require(first.status == 0, "\(first.error)")
    // The same command again finds that all is done.
    let again = try LegatoProcess.run(train, in: folder.url)
    try #require(again.status == 0, "\(again.error)")
    let outcome = try #require(try JSONSerialization.jsonObject(with: again.output) as? [String: Any])
    #expect(outcome["end"] as? String == "finished")
    #expect(outcome["step"] as? Int == 30 && (outcome["peak_memory_bytes"] as? Int ?? 0) > 1 << 26)

    let model = try info("model/package")
    #expect(model["kind"] as? String == "model package")
    #expect((model["training"] as? [String: Any])?["steps"] as? Int == 30)
    #expect(try info("model/checkpoints/step-30")["kind"] as? String == "checkpoint")

    // A fine-tuning run starts from the package, and its recipe may say how to generate.
    try legato(
      "train", Self.recipes + "/toy-model.yaml", "--from", "model/package", "--set", "data.latents=latents",
      "--set", "steps=2", "--set", "model.generation.temperature=0.75", "--set",
      "model.generation.feedback_gain=1.25", "--output", "tuned", "--threads", "1",
      "--quiet")
    let settings = try info("tuned/package")["generation"] as? [String: Any]
    #expect(settings?["temperature"] as? Double == 0.75, "\(settings ?? [:])")
    #expect(settings?["feedback_gain"] as? Double == 1.25, "\(settings ?? [:])")

    // Crops longer than any piece run on into others, where they may; a package keeps its law of noise, and whether it is told the level.
    func long(_ joins: Bool) throws -> LegatoProcess.Result {
      try LegatoProcess.run(
        [
          "train", Self.recipes + "/toy-model.yaml", "--set", "data.latents=latents", "--set", "steps=2",
          "--set",
          "batch_size=1", "--set", "data.crop_frames=4000", "--set", "model.join_pieces=\(joins)", "--set",
          "model.transform.kind=additive-noise", "--set", "model.noise_level=true", "--output",
          "joined-\(joins)", "--threads", "1", "--quiet",
        ], in: folder.url)
    }
    let refused = try long(false)
    #expect(refused.status == 1 && refused.error.contains("a crop needs 4001"), "\(refused.error)")
    let joined = try long(true)
    #expect(joined.status == 0, "\(joined.error)")
    let law = try info("joined-true/package")["generation"] as? [String: Any]
    #expect(law?["noise_law"] as? String == "additive", "\(law ?? [:])")
    #expect(settings?["noise_law"] as? String == "linear")
    for (package, told) in [("joined-true/package", true), ("tuned/package", false)] {
      let backbone = try info(package)["backbone"] as? [String: Any]
      #expect(backbone?["noise_level"] as? Bool == told)
      let text = try LegatoProcess.run(["info", package], in: folder.url).text
      #expect(
        text.contains("told how noisy its past is") == told && text.contains(told ? "additive" : "linear"))
    }

    // The other samplers train, generate, are measured and converted by the same commands.
    for (kind, steps) in [("diffusion", 100), ("mixture", 8)] {
      try legato(
        "train", Self.recipes + "/toy-model.yaml", "--set", "data.latents=latents", "--set", "steps=6",
        "--set",
        "model.sampler.kind=\(kind)", "--set", "evaluate.every_steps=3", "--set", "checkpoint.every_steps=3",
        "--set", "samples.every_steps=0", "--output", kind, "--threads", "1", "--quiet")
      let made = try info(kind + "/package")
      #expect((made["sampler"] as? [String: Any])?["kind"] as? String == kind)
      #expect((made["generation"] as? [String: Any])?["steps"] as? Int == steps)
      let card = try String(contentsOfFile: folder.path(kind + "/package/README.md"), encoding: .utf8)
      #expect(card.contains(kind == "mixture" ? "mixture of 32 normal" : "diffusion, 2 blocks"))
      try legato(
        "generate", "--model", kind + "/package", "--seed", "1", "--duration", "1", "--output", kind + ".wav")
      try legato(
        "evaluate", "loss", "--model", kind + "/package", "--latents", "latents", "--positions", "96")
      try legato("convert", kind + "/package", "--weights", "int8", "--output", kind + "-int8", "--quiet")
      try legato(
        "generate", "--model", kind + "-int8", "--seed", "1", "--duration", "1", "--output", kind + "-8.wav")
      try legato(
        "train", Self.recipes + "/toy-model.yaml", "--from", kind + "/package", "--set",
        "data.latents=latents",
        "--set", "steps=1", "--set", "samples.every_steps=0", "--output", kind + "-more", "--threads", "1",
        "--quiet")
      #expect((try info(kind + "-more/package")["sampler"] as? [String: Any])?["kind"] as? String == kind)
    }

    // A style leaves the model as it is, byte by byte; a second one joins the first.
    let prepared = try JSONDecoder().decode(
      LatentIndex.self, from: Data(contentsOf: URL(fileURLWithPath: folder.path("latents/latents.json"))))
    let instrument = try #require(prepared.pieces.first { $0.split == .train }?.labels["instrument"])
    let pieces = "model.style.pieces=instrument=\(instrument)"
    func learn(_ name: String, from package: String, _ more: String...) throws -> LegatoProcess.Result {
      try LegatoProcess.run(
        [
          "train", Self.recipes + "/style.yaml", "--from", package, "--set", "data.latents=latents", "--set",
          "model.style.name=\(name)", "--set", "steps=2", "--set", "data.crop_frames=96", "--set",
          "batch_size=2", "--output", "style-\(name)", "--threads", "1", "--quiet",
        ] + more.flatMap { ["--set", $0] }, in: folder.url)
    }
    let one = try learn("one", from: "model/package", pieces)
    try #require(one.status == 0, "\(one.error)")
    let two = try learn("two", from: "style-one/package")
    try #require(two.status == 0, "\(two.error)")
    for file in ["model.safetensors", "codec/codec.safetensors", "config.json", "README.md"] {
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: folder.path("model/package/" + file)))
          == Data(contentsOf: URL(fileURLWithPath: folder.path("style-two/package/" + file))), "\(file)")
    }
    #expect(try info("style-two/package")["styles"] as? [String] == ["one", "two"])
    #expect(try info("model/package")["styles"] == nil)
    let styles = ["one", "two"].map { folder.path("style-two/package/styles/\($0).safetensors") }
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: styles[0]))
        == Data(contentsOf: URL(fileURLWithPath: folder.path("style-one/package/styles/one.safetensors"))))
    for refused in [
      (
        try learn("three", from: "model/package", "model.style.pieces=instrument=tuba"),
        "instrument=\(instrument)"
      ),
      (try learn("four", from: "model/package", "model.style.pieces=tuba"), "label=value"),
      (try learn("no good", from: "model/package"), "a name of letters"),
      (try learn("", from: "model/package"), "a style needs a name"),
      (try learn("six", from: "model/package", "model.transform.kind=additive-noise"), "additive noise"),
      (
        try learn("seven", from: "model/package", "model.generation.temperature=1"), "Remove model.generation"
      ),
    ] { #expect(refused.0.status != 0 && refused.0.error.contains(refused.1), "\(refused.0.error)") }
    let orphan = try LegatoProcess.run(
      [
        "train", Self.recipes + "/style.yaml", "--set", "data.latents=latents", "--output", "orphan",
        "--quiet",
      ],
      in: folder.url)
    #expect(orphan.status != 0 && orphan.error.contains("--from"), "\(orphan.error)")
    func sound(_ style: String) throws -> Data {
      try legato(
        "generate", "--model", "style-two/package", "--style", style, "--duration", "1", "--seed", "1",
        "--output", "style.wav", "--quiet")
      return try Data(contentsOf: URL(fileURLWithPath: folder.path("style.wav")))
    }
    let sounds = try ["one", "two", "none"].map(sound)
    #expect(Set(sounds).count == 3)
    #expect(sounds[..<2].contains(try sound("any")))

    // Its factors are found and written into it, and nothing else changes.
    func known(_ package: String) throws -> [String: Style] {
      try Dictionary(
        uniqueKeysWithValues: ModelPackage(path: folder.path(package)).styles.map { ($0.name, $0) })
    }
    let untuned = try known("style-two/package")
    let settingsBefore = try Data(
      contentsOf: URL(fileURLWithPath: folder.path("style-two/package/config.json")))
    let tune = [
      "tune", "--model", "style-two/package", "--latents", "latents", "--count", "2", "--duration", "8s",
      "--trials", "5", "--threads", "1", "--json",
    ]
    let tuning = try LegatoProcess.run(tune + ["--style", "one"], in: folder.url)
    try #require(tuning.status == 0, "\(tuning.error)")
    let found = try #require(try JSONSerialization.jsonObject(with: tuning.output) as? [String: Any])
    func value(_ name: String, _ setting: String) throws -> Double {
      let score = try #require(found[name] as? [String: Any])
      return try #require(
        (score["settings"] as? [String: Any] ?? score)[setting] as? Double ?? score[setting] as? Double)
    }
    let isBetter = try value("after", "unlikeness") < value("before", "unlikeness")
    let tuned = try known("style-two/package")
    #expect(tuned["two"] == untuned["two"] && (tuned["one"] != untuned["one"]) == isBetter)
    if isBetter {
      let factors = try #require(tuned["one"]).factors
      for (setting, factor) in [
        ("context_noise", factors.contextNoise), ("feedback_gain", factors.feedbackGain),
      ] {
        let ratio = try value("after", setting) / value("before", setting)
        #expect(abs(Double(factor) - ratio) < 0.001, "\(setting)")
      }
      #expect(try LegatoProcess.run(["info", "style-two/package"], in: folder.url).text.contains("×"))
    }
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: folder.path("style-two/package/config.json")))
        == settingsBefore)
    for (arguments, text) in [
      (["--style", "three"], "has no style 'three'"),
      (["--style", "one", "--pieces", "tuba"], "label=value"),
      (["--style", "one", "--pieces", "instrument=tuba"], "no piece has the label instrument=tuba"),
    ] {
      let refused = try LegatoProcess.run(tune + arguments, in: folder.url)
      #expect(refused.status != 0 && refused.error.contains(text), "\(refused.error)")
    }

    let leaving = try LegatoProcess.run(
      [
        "train", Self.recipes + "/toy-model.yaml", "--from", "style-two/package", "--set",
        "data.latents=latents",
        "--set", "steps=1", "--output", "left", "--threads", "1",
      ], in: folder.url)
    #expect(leaving.status == 0 && leaving.error.contains("are left behind"), "\(leaving.error)")
    #expect(try info("left/package")["styles"] == nil)

    // The codec fine-tuned first: the model goes on from weights that know another's latents, and says so.
    try legato(
      "train", Self.recipes + "/toy-codec.yaml", "--from", "codec/package", "--set", "data.corpus=corpus",
      "--set",
      "steps=2", "--output", "codec2", "--threads", "1", "--quiet")
    try legato(
      "prepare", "corpus", "--codec", "codec2/package", "--output", "latents2", "--excerpts", "0", "--quiet")
    let apart = try learn("five", from: "model/package", "data.latents=latents2")
    #expect(apart.status != 0 && apart.error.contains("of another codec"), "\(apart.error)")
    let other = try LegatoProcess.run(
      [
        "train", Self.recipes + "/toy-model.yaml", "--from", "model/package", "--set",
        "data.latents=latents2",
        "--set", "steps=2", "--output", "tuned2", "--threads", "1",
      ], in: folder.url)
    #expect(other.status == 0, "\(other.error)")
    #expect(other.error.contains("model/package was trained on latents of another codec"), "\(other.error)")
    try legato(
      "generate", "--model", "tuned2/package", "--duration", "1", "--seed", "1", "--output", "out2.wav",
      "--quiet")

    try legato(
      "generate", "--model", "tuned/package", "--duration", "2", "--seed", "1", "--output", "out.wav",
      "--quiet")
    let sound = try AudioFile.read(folder.path("out.wav"))
    #expect(sound.frameCount == 96_000)
    #expect(sound.channels.allSatisfy { $0.allSatisfy(\.isFinite) })
    #expect(sound.peak > 0)
  }
}
