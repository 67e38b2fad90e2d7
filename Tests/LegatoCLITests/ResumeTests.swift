import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import LegatoTraining
import Testing

@testable import LegatoCLI

/// Training runs at their edges: killed, interrupted, diverging, started from a package.
@Suite(.serialized) struct ResumeTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path("recordings"), withIntermediateDirectories: true)
    for name in ["a", "b"] {
      try AudioFile.write(
        TinyPackage.recording(seconds: name == "a" ? 4 : 3, sampleRate: 48_000, channels: 2),
        to: folder.path("recordings/\(name).wav"))
    }
    try """
    kind: codec
    name: resume
    steps: 90
    batch_size: 2
    device: cpu
    threads: 1
    data: { corpus: recordings, crop_seconds: 0.24 }
    codec:
      preset: tiny
      loss: { stft_sizes: [512, 128] }
      adversarial: { weight: 0.1, start_step: 10, channels: 2, stft_sizes: [512, 128] }
    optimizer: { learning_rate: 1e-3, warmup_steps: 5 }
    checkpoint: { every_steps: 4, every_minutes: 0, keep: 2 }
    evaluate: { every_steps: 20, batches: 1 }
    samples: { every_steps: 0, seconds: 1, count: 1 }
    log: { every_steps: 1 }
    """.write(toFile: folder.path("recipe.yaml"), atomically: true, encoding: .utf8)
  }

  private func losses(_ run: String) throws -> [Int: Double] {
    var losses: [Int: Double] = [:]
    for line in try String(contentsOfFile: folder.path("\(run)/progress.jsonl"), encoding: .utf8).split(
      separator: "\n")
    {
      let row = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      if let step = row["step"] as? Int, let loss = row["loss"] as? Double { losses[step] = loss }
    }
    return losses
  }

  /// Recipes that ask for bf16 are for machines of all kinds.
  @Test func whereNoInstructionMultipliesBFloat16FloatsAreComputed() throws {
    func run(_ name: String, _ precision: String, _ environment: [String: String]) throws -> Bool {
      let result = try LegatoProcess.run(
        [
          "train", "recipe.yaml", "--output", name, "--set", "precision=\(precision)", "--set", "steps=3",
          "--set", "codec.adversarial.weight=0",
        ], in: folder.url, environment: environment)
      try #require(result.status == 0, "\(result.error)")
      return result.error.contains("computes in f32 instead of bf16")
    }
    let scalar = ["LEGATO_ISA": "scalar"]
    #expect(try !run("f32", "f32", scalar))
    #expect(try run("instead", "bf16", scalar))
    #expect(try run("here", "bf16", [:]) == !Platform.multipliesBFloat16)
    let (float32, instead, here) = (try losses("f32"), try losses("instead"), try losses("here"))
    #expect(float32.count == 3 && instead == float32)
    #expect((here == float32) == !Platform.multipliesBFloat16)
  }

  @Test func killedAndResumedEqualsNeverStopped() throws {
    let whole = try LegatoProcess.run(
      ["train", "recipe.yaml", "--output", "whole", "--quiet"], in: folder.url)
    try #require(whole.status == 0, "\(whole.error)")

    func newest() throws -> Int { try RunFolder.latestCheckpoint(ofRun: folder.path("killed"))?.step ?? 0 }
    // Steps that runs went on from after a kill; 0 before the first checkpoint.
    var resumed: [Int] = []
    for attempt in 0..<8 {
      let process = try LegatoProcess.start(
        ["train", "recipe.yaml", "--output", "killed", "--quiet"], in: folder.url,
        output: FileHandle.nullDevice,
        error: FileHandle.nullDevice)
      let last = try newest()
      if attempt < 6 {
        // Random moments: before the first step, in a step, in a checkpoint.
        if attempt > 0 {
          while process.isRunning, try newest() == last { Thread.sleep(forTimeInterval: 0.005) }
        }
        Thread.sleep(forTimeInterval: Double.random(in: 0...0.3))
      } else {
        process.waitUntilExit()
      }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
      if process.terminationReason == .exit {
        try #require(process.terminationStatus == 0, "attempt \(attempt) failed")
        break
      }
      resumed.append(try newest())
    }
    #expect(Set(resumed).subtracting([0]).count >= 3, "killed too seldom: \(resumed)")
    #expect(try losses("killed") == losses("whole"))
    for file in ["model", "average", "optimizer", "adversary", "adversary-optimizer"] {
      let path = "checkpoints/step-90/\(file).safetensors"
      let (a, b) = (
        try Data(contentsOf: URL(fileURLWithPath: folder.path("whole/\(path)"))),
        try Data(contentsOf: URL(fileURLWithPath: folder.path("killed/\(path)")))
      )
      #expect(a == b, "\(file) differs")
    }
  }

  @Test func aFineTunedCodecMeasuresItsOwnStatistics() throws {
    let short = ["--quiet", "--set", "steps=12", "--set", "evaluate.every_steps=0"]
    for run in [["--output", "first"], ["--output", "second", "--from", "first/package"]] {
      let result = try LegatoProcess.run(["train", "recipe.yaml"] + run + short, in: folder.url)
      try #require(result.status == 0, "\(result.error)")
    }
    let encoded = try LegatoProcess.run(
      ["encode", "recordings/a.wav", "--codec", "second/package", "--output", "a.safetensors", "--quiet"],
      in: folder.url)
    try #require(encoded.status == 0, "\(encoded.error)")
    let latents = try SafetensorsFile(path: folder.path("a.safetensors")).floats("latents")
    let mean = latents.reduce(0, +) / Float(latents.count)
    let deviation = (latents.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(latents.count)).squareRoot()
    #expect(abs(mean) < 0.3 && deviation > 0.6 && deviation < 1.6, "mean \(mean), deviation \(deviation)")
  }

  /// Codebooks are found in the data: a run goes on with the same ones, whatever the data have become.
  @Test func codesGoOnWithTheirOwnCodebooks() throws {
    try TinyPackage.writeCodec(to: folder.path("codec"))
    func run(_ arguments: String...) throws -> LegatoProcess.Result {
      try LegatoProcess.run(arguments + ["--quiet"], in: folder.url)
    }
    func prepare() throws {
      let result = try run("prepare", "recordings", "--codec", "codec", "--output", "latents")
      try #require(result.status == 0, "\(result.error)")
    }
    try """
    kind: model
    steps: 4
    batch_size: 2
    device: cpu
    threads: 1
    data: { latents: latents, crop_frames: 48 }
    checkpoint: { every_steps: 4, every_minutes: 0, keep: 1 }
    evaluate: { every_steps: 0, batches: 1 }
    samples: { every_steps: 0 }
    model: { preset: tiny, window: 16, transform: { kind: next-token }, sampler: { kind: codes, codebooks: 2, codes: 4 } }
    """.write(toFile: folder.path("codes.yaml"), atomically: true, encoding: .utf8)
    func train(_ steps: Int) throws -> LegatoProcess.Result {
      try run("train", "codes.yaml", "--output", "codes", "--set", "steps=\(steps)")
    }
    func codebooks() throws -> [Float] {
      try SafetensorsFile(path: folder.path("codes/package/model.safetensors")).floats("sampler.codebooks")
    }
    try prepare()
    for steps in [4, 8] {
      let result = try train(steps)
      try #require(result.status == 0, "\(result.error)")
    }
    let found = try codebooks()
    #expect(found.count == 2 * 4 * 16 && Set(found).count > 50)
    try AudioFile.write(
      TinyPackage.recording(seconds: 5, sampleRate: 48_000, channels: 2), to: folder.path("recordings/c.wav"))
    try FileManager.default.removeItem(atPath: folder.path("recordings/a.wav"))
    try prepare()
    let resumed = try train(12)
    try #require(resumed.status == 0, "\(resumed.error)")
    #expect(try codebooks() == found)
    let anew = try run("train", "codes.yaml", "--output", "anew")
    try #require(anew.status == 0, "\(anew.error)")
    #expect(
      try SafetensorsFile(path: folder.path("anew/package/model.safetensors")).floats("sampler.codebooks")
        != found)
    let played = try run(
      "generate", "--model", "codes/package", "--duration", "1s", "--seed", "1", "--output", "codes.wav")
    #expect(played.status == 0, "\(played.error)")
    let continued = try run(
      "generate", "--model", "codes/package", "--duration", "1s", "--prompt", "recordings/b.wav", "--output",
      "no.wav")
    #expect(
      continued.status == 1 && continued.error.contains("cannot continue a recording"), "\(continued.error)")
    let converted = try run("convert", "codes/package", "--weights", "int8", "--output", "small")
    #expect(converted.status == 1 && converted.error.contains("a model of codes"), "\(converted.error)")
  }

  @Test func aFrozenEncoderKeepsLatentsAndModels() throws {
    func run(_ arguments: String...) throws {
      let result = try LegatoProcess.run(arguments + ["--quiet"], in: folder.url)
      try #require(result.status == 0, "\(arguments): \(result.error)")
    }
    try run("train", "recipe.yaml", "--output", "first", "--set", "steps=12")
    try run(
      "train", "recipe.yaml", "--output", "second", "--from", "first/package", "--set", "steps=12", "--set",
      "codec.freeze_encoder=true")
    let codecs = try ["first", "second"].map { try CodecPackage(path: folder.path($0 + "/package")) }
    #expect(codecs[0].hash == codecs[1].hash)
    for (a, b) in zip(codecs[0].codec.weights, codecs[1].codec.weights) {
      let isKept = a.name.hasPrefix("encoder.") || a.name.hasPrefix("latents.")
      #expect((a.floats() == b.floats()) == isKept, "\(a.name)")
    }
    // A converted encoder keeps its bytes and the latents of its original, too.
    let small = try codecs[0].converted { $0.converted(to: WeightPrecision.int8.format(of: $0)) }
    try CodecPackage.write(
      to: folder.path("small"), configuration: small.configuration, weights: small.codec.weights, format: nil,
      card: "")
    try run(
      "train", "recipe.yaml", "--output", "fourth", "--from", "small", "--set", "steps=2", "--set",
      "codec.freeze_encoder=true")
    let fourth = try CodecPackage(path: folder.path("fourth/package"))
    #expect(fourth.hash == codecs[0].hash && fourth.configuration.converted == small.configuration.converted)
    let untrained = try LegatoProcess.run(
      ["train", "recipe.yaml", "--output", "third", "--set", "codec.freeze_encoder=true"], in: folder.url)
    #expect(untrained.status == 1 && untrained.error.contains("--from"), "\(untrained.error)")
  }

  @Test func ctrlCWritesACheckpointAndStops() throws {
    let process = try LegatoProcess.start(
      [
        "train", "recipe.yaml", "--output", "run", "--quiet", "--set", "steps=100000", "--set",
        "checkpoint.every_steps=0",
      ],
      in: folder.url, output: FileHandle.nullDevice, error: FileHandle.nullDevice)
    let progress = folder.path("run/progress.jsonl")
    let deadline = Date().addingTimeInterval(60)
    while Date() < deadline, ((try? String(contentsOfFile: progress, encoding: .utf8)) ?? "").isEmpty {
      Thread.sleep(forTimeInterval: 0.05)
    }
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    let checkpoints = try FileManager.default.contentsOfDirectory(atPath: folder.path("run/checkpoints"))
    #expect(checkpoints.count == 1 && checkpoints[0].hasPrefix("step-"))
    // Who likes what they hear may stop: there is a package.
    let encoded = try LegatoProcess.run(
      ["encode", "recordings/a.wav", "--codec", "run/package", "--output", "a.safetensors", "--quiet"],
      in: folder.url)
    #expect(encoded.status == 0, "\(encoded.error)")
  }

  @Test func lossesOfTrainingDataAreNotCalledValidation() throws {
    let result = try LegatoProcess.run(
      [
        "train", "recipe.yaml", "--output", "alone", "--set", "data.corpus=recordings/a.wav", "--set",
        "steps=2",
        "--set", "evaluate.every_steps=1",
      ], in: folder.url)
    try #require(result.status == 0, "\(result.error)")
    #expect(result.error.contains("no recording is held out"), "\(result.error)")
    let log = try String(contentsOfFile: folder.path("alone/progress.jsonl"), encoding: .utf8)
    #expect(log.contains("\"training_data_loss\"") && !log.contains("validation"))
    let config = try String(contentsOfFile: folder.path("alone/package/config.json"), encoding: .utf8)
    #expect(!config.contains("held_out_mel_distance"))
  }

  @Test func aFailedStartLeavesNothingAndNeedsNoOtherFolder() throws {
    func train(_ corpus: String) throws -> LegatoProcess.Result {
      try LegatoProcess.run(
        [
          "train", "recipe.yaml", "--output", "run", "--quiet", "--set", "steps=2", "--set",
          "data.corpus=\(corpus)",
        ],
        in: folder.url)
    }
    #expect(try train("nowhere").status == 1)
    #expect(!folder.contents.contains("run"))
    #expect(try train("recordings").status == 0)
  }

  @Test func weightsThatAreNotFiniteAreNeverACheckpoint() throws {
    func train(_ settings: String...) throws -> LegatoProcess.Result {
      try LegatoProcess.run(
        ["train", "recipe.yaml", "--output", "run", "--quiet"] + settings.flatMap { ["--set", $0] },
        in: folder.url)
    }
    try #require(try train("steps=8").status == 0)
    // A step so large that weights overflow at once, before any loss could show it.
    let bad = try train(
      "steps=20", "checkpoint.every_steps=1", "optimizer.learning_rate=1e39", "optimizer.schedule=constant")
    #expect(bad.status == 1)
    #expect(bad.error.contains("last good checkpoint is step 8"), "\(bad.error)")
    for file in ["model", "average", "optimizer"] {
      let stored = try SafetensorsFile(path: folder.path("run/checkpoints/step-8/\(file).safetensors"))
      for entry in stored.entries {
        #expect(try stored.floats(entry.name).allSatisfy { $0.isFinite }, "\(entry.name)")
      }
    }
    let good = try train("steps=12")
    #expect(good.status == 0, "\(good.error)")
  }

  @Test func aLossThatIsNotFiniteStopsAtTheLastGoodCheckpoint() throws {
    let result = try LegatoProcess.run(
      [
        "train", "recipe.yaml", "--output", "bad", "--quiet", "--set", "optimizer.learning_rate=1e30",
        "--set", "optimizer.clip=0", "--set", "optimizer.warmup_steps=1",
      ],
      in: folder.url)
    #expect(result.status == 1)
    #expect(result.error.contains("step "), "\(result.error)")
    #expect(result.error.contains("checkpoint"), "\(result.error)")
  }

  #if os(Linux)
    /// The shell's limit on memory stands for a GPU's.
    @Test func aRunThatOutgrowsItsMemoryGoesOnWithLess() throws {
      func train(_ settings: String..., limit: String = "unlimited") throws -> (status: Int32, error: String)
      {
        let log = folder.path("log")
        try #require(FileManager.default.createFile(atPath: log, contents: nil))
        let error = try #require(FileHandle(forWritingAtPath: log))
        let process = try LegatoProcess.start(
          ["train", "recipe.yaml", "--output", "full", "--quiet"] + settings.flatMap { ["--set", $0] },
          in: folder.url,
          through: [
            "/bin/sh", "-c", "ulimit -v \(limit); exec \"$0\" \"$@\"", LegatoProcess.executable.path,
          ],
          output: FileHandle.nullDevice, error: error)
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOfFile: log, encoding: .utf8))
      }
      try #require(try train("steps=3").status == 0)
      let full = try train("steps=6", "batch_size=2000", limit: "4000000")
      #expect(full.status == 1)
      #expect(full.error.contains("the memory of the device cpu is full at step 4"), "\(full.error)")
      #expect(full.error.contains("saved at step 3"))
      #expect(full.error.contains("--set batch_size=1000"))
      let again = try train("steps=6", "batch_size=1")
      #expect(again.status == 0, "\(again.error)")
      #expect(try losses("full").keys.sorted() == [1, 2, 3, 4, 5, 6])
    }
  #endif
}
