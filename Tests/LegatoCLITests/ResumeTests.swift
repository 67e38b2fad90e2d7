import Foundation
import LegatoAudio
import LegatoTensor
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
    codec: { preset: tiny, loss: { stft_sizes: [512, 128] } }
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

  @Test func killedAndResumedEqualsNeverStopped() throws {
    let whole = try LegatoProcess.run(
      ["train", "recipe.yaml", "--output", "whole", "--quiet"], in: folder.url)
    try #require(whole.status == 0, "\(whole.error)")

    var kills = 0
    for attempt in 0..<40 {
      let process = try LegatoProcess.start(
        ["train", "recipe.yaml", "--output", "killed", "--quiet"], in: folder.url,
        output: FileHandle.nullDevice,
        error: FileHandle.nullDevice)
      // Random moments: in a step, in a checkpoint, before the first step.
      let deadline = Date().addingTimeInterval(kills < 5 ? Double.random(in: 0.3...2.5) : 300)
      while process.isRunning, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        kills += 1
        continue
      }
      try #require(process.terminationStatus == 0, "attempt \(attempt) failed")
      break
    }
    #expect(kills >= 2, "the run ended before it was killed often enough")
    #expect(try losses("killed") == losses("whole"))
    for file in ["model", "average", "optimizer"] {
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
}
