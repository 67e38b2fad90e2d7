import Foundation
import LegatoAudio
import LegatoModels
import LegatoTensor
import LegatoTraining
import Testing

@testable import LegatoCLI

/// Fine-tuning knows when it has had enough, and `legato tune` finds settings.
@Suite(.serialized) struct TuneTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyPackage.write(to: folder.path("package"))
    let recordings = folder.path("recordings")
    try FileManager.default.createDirectory(atPath: recordings, withIntermediateDirectories: true)
    for index in 1...6 {
      // Chords that swell and fade, each in its own time.
      var sound = TinyPackage.recording(seconds: 12, sampleRate: 48_000, channels: 2)
      for channel in sound.channels.indices {
        for i in sound.channels[channel].indices {
          sound.channels[channel][i] *= 0.55 + 0.45 * sin(Float(i * index) / 20_000)
        }
      }
      try AudioFile.write(sound, to: recordings + "/\(index).wav")
    }
    try legato("prepare", "recordings", "--codec", "package/codec", "--output", "latents", "--quiet")
  }

  private func run(_ arguments: [String]) throws -> LegatoProcess.Result {
    try LegatoProcess.run(arguments, in: folder.url)
  }

  @discardableResult
  private func legato(_ arguments: String...) throws -> [String: Any] {
    let result = try run(arguments)
    try #require(result.status == 0, "\(arguments): \(result.error)")
    return (try? JSONSerialization.jsonObject(with: result.output) as? [String: Any]) ?? [:]
  }

  private func numbers(_ file: String, _ name: String) throws -> [Float] {
    try SafetensorsFile(path: folder.path(file)).floats(name)
  }

  private func generation(_ package: String) throws -> GenerationDefaults {
    try ModelPackage(path: folder.path(package)).configuration.generation
  }

  private let train = [
    "train", EndToEndTests.recipes + "/toy-model.yaml", "--from", "package", "--set", "data.latents=latents",
    "--set", "steps=400", "--set", "optimizer.learning_rate=0.02", "--set", "ema.decay=0", "--set",
    "evaluate.every_steps=2", "--set", "evaluate.patience=2", "--set", "samples.every_steps=0",
    "--threads", "1", "--json",
  ]

  @Test func aRunEndsWhenItHasHadEnough() throws {
    func outcome(_ more: String...) throws -> [String: Any] {
      let result = try run(train + ["--output", "run"] + more)
      try #require(result.status == 0, "\(result.error)")
      return try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
    }
    let first = try outcome()
    #expect(first["end"] as? String == "no-better")
    let (step, best) = (try #require(first["step"] as? Int), try #require(first["package_step"] as? Int))
    #expect(best == step - 4 && step < 400)

    var losses: [Int: Double] = [:]
    for line in try String(contentsOfFile: folder.path("run/progress.jsonl"), encoding: .utf8).split(
      separator: "\n")
    {
      let row = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      if let step = row["step"] as? Int, let loss = row["validation_loss"] as? Double { losses[step] = loss }
    }
    #expect(losses.min { $0.value < $1.value }?.key == best, "\(losses)")
    #expect((first["losses"] as? [String: Double])?["validation_loss"] == losses[best])

    // The package has the weights of that step, not the last ones.
    let package = try ModelPackage(path: folder.path("run/package"))
    #expect(package.configuration.training?.steps == best)
    let start = package.model.start.name
    let stored = try numbers("run/package/model.safetensors", start)
    #expect(stored == (try numbers("run/checkpoints/step-\(step)/best.safetensors", start)))
    #expect(stored != (try numbers("run/checkpoints/step-\(step)/average.safetensors", start)))

    // The same command finds that all is done; with more patience it goes on.
    #expect(try outcome()["step"] as? Int == step)
    let more = try outcome("--set", "evaluate.patience=6", "--set", "steps=\(step + 4)")
    #expect(try #require(more["step"] as? Int) == step + 4)
  }

  @Test func aStoppedRunKeepsItsBestWeights() throws {
    let short = ["--set", "evaluate.patience=100", "--set", "checkpoint.every_steps=0"]
    for (name, stops) in [("whole", [30]), ("parts", [7, 18, 30])] {
      for steps in stops {
        let result = try run(
          train + short + [
            "--set", "optimizer.schedule=constant", "--set", "steps=\(steps)", "--output", name,
          ])
        try #require(result.status == 0, "\(result.error)")
      }
    }
    for file in ["best", "model", "average"] {
      let path = "checkpoints/step-30/\(file).safetensors"
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: folder.path("whole/" + path)))
          == Data(contentsOf: URL(fileURLWithPath: folder.path("parts/" + path))), "\(file)")
    }
    func best(_ run: String) throws -> NSDictionary {
      let state = try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(fileURLWithPath: folder.path(run + "/checkpoints/step-30/state.json"))))
      return try #require((state as? [String: Any])?["best"] as? NSDictionary)
    }
    #expect(try best("whole") == best("parts"))
  }

  @Test func settingsAreFoundAndWritten() throws {
    let tune = [
      "tune", "--model", "package", "--latents", "latents", "--count", "2", "--duration", "8s", "--trials",
      "4",
      "--threads", "1", "--json",
    ]
    let (before, config) = (try generation("package"), folder.path("package/config.json"))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: config))
    let dry = try run(tune + ["--dry-run"])
    try #require(dry.status == 0, "\(dry.error)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: config)) == bytes)
    let wet = try run(tune)
    try #require(wet.status == 0, "\(wet.error)")
    #expect(wet.output == dry.output)
    let outcome = try #require(try JSONSerialization.jsonObject(with: wet.output) as? [String: Any])
    #expect((outcome["trials"] as? [Any])?.count == 4)
    func cost(_ name: String) throws -> Double {
      try #require((outcome[name] as? [String: Any])?["unlikeness"] as? Double)
    }
    let isBetter = try cost("after") < cost("before")
    #expect(try (generation("package") != before) == isBetter)
    // All else of the package is as it was.
    #expect(try ModelPackage(path: folder.path("package")).configuration.name == "tiny-noise")
  }

  @Test func aSearchThatWasStoppedGoesOn() throws {
    var tuner = SettingsTuner(
      package: try ModelPackage(path: folder.path("package")),
      data: try LatentDataset(path: folder.path("latents")), threads: 1)
    (tuner.count, tuner.seconds, tuner.trials, tuner.style) = (2, 8, 4, .quiet)
    var made: [SettingsTuner.Trial] = []
    tuner.goesOn = {
      made.append($0)
      return true
    }
    let whole = try #require(try tuner.run())
    let all = made
    #expect(all.count >= 4 && whole.trials == all.prefix(4).map(\.score))
    // Stopped after two trials, and again after one more; then to its end.
    made = []
    for most in [2, 3, all.count] {
      tuner.known = made
      tuner.goesOn = {
        made.append($0)
        return made.count < most || most == all.count
      }
      let outcome = try tuner.run()
      #expect(made == Array(all.prefix(most)) && outcome == (most == all.count ? whole : nil))
    }
    // Trials are kept as JSON in between.
    #expect(
      try JSONDecoder().decode([SettingsTuner.Trial].self, from: JSONEncoder().encode(all)) == all)
  }

  @Test func whatCannotBeTunedIsTold() throws {
    try FileManager.default.createDirectory(atPath: folder.path("short"), withIntermediateDirectories: true)
    for seconds in [2.0, 2.1, 2.2, 2.3, 2.4, 2.5] {
      try AudioFile.write(
        TinyPackage.recording(seconds: seconds, sampleRate: 48_000), to: folder.path("short/\(seconds).wav"))
    }
    try legato("prepare", "short", "--codec", "package/codec", "--output", "short-latents", "--quiet")
    try TinyPackage.write(to: folder.path("other"), seed: 2)
    let cases: [([String], String)] = [
      (["--model", "package", "--latents", "short-latents"], "too little to tune to"),
      (["--model", "other", "--latents", "latents"], "the latents were made with the codec"),
      (["--model", "nowhere", "--latents", "latents"], "there is no such folder"),
      (["--model", "package", "--latents", "recordings"], "latents.json"),
      (["--model", "package", "--latents", "latents", "--count", "1"], "--count is 1"),
      (["--model", "package", "--latents", "latents", "--duration", "1s"], "--duration is '1s'"),
    ]
    for (arguments, text) in cases {
      let result = try run(["tune"] + arguments)
      #expect(result.status != 0 && !result.crashed && result.error.contains(text), "\(result.error)")
    }
    // A run whose folder is too small to tune to ends well all the same.
    let result = try run(
      [
        "train", EndToEndTests.recipes + "/toy-model.yaml", "--from", "package", "--set",
        "data.latents=short-latents", "--set", "data.crop_frames=96", "--set", "steps=1", "--set",
        "model.generation.tune=true", "--output", "untuned", "--threads", "1",
      ])
    #expect(result.status == 0 && result.error.contains("were not tuned"), "\(result.error)")
    #expect(try generation("untuned/package") == generation("package"))
  }
}
