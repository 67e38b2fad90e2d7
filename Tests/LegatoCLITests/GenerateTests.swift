import Foundation
import LegatoAudio
import Testing

@testable import LegatoCLI

/// `legato generate` as a person types it, with a package of random weights.
@Suite(.serialized) final class GenerateTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyPackage.write(to: folder.path("tiny"))
  }

  private func generate(_ arguments: String...) throws -> LegatoProcess.Result {
    let result = try LegatoProcess.run(["generate", "--model", "tiny"] + arguments, in: folder.url)
    #expect(result.status == 0, "\(result.error)")
    return result
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: folder.url.appendingPathComponent(name))
  }

  @Test func sameSeedSameBytesAtAnyThreadCount() throws {
    _ = try generate("--duration", "2", "--seed", "7", "--threads", "1", "--output", "a.wav")
    _ = try generate("--duration", "2", "--seed", "7", "--threads", "2", "--output", "b.wav")
    _ = try generate("--duration", "2", "--seed", "8", "--output", "c.wav")
    let sound = try AudioFile.read(folder.path("a.wav"))
    #expect(sound.sampleRate == 48_000)
    #expect(sound.channelCount == 2)
    #expect(sound.frameCount == 96_000)
    #expect(sound.peak > 0.001)
    #expect(abs(sound.channels[0].first ?? 1) < 0.01 && abs(sound.channels[0].last ?? 1) < 0.01)
    #expect(try bytes("a.wav") == bytes("b.wav"))
    #expect(try bytes("a.wav") != bytes("c.wav"))
    #expect(folder.contents == ["a.wav", "b.wav", "c.wav", "tiny"])
  }

  @Test func streamEqualsFile() throws {
    _ = try generate("--duration", "1.5", "--seed", "3", "--output", "file.wav")
    let stream = try generate("--duration", "1.5", "--seed", "3", "--output", "-")
    try stream.output.write(to: folder.url.appendingPathComponent("stream.wav"))
    let (file, streamed) = (
      try AudioFile.read(folder.path("file.wav")), try AudioFile.read(folder.path("stream.wav"))
    )
    #expect(file == streamed)
    #expect(stream.error.contains("seed 3"))
  }

  @Test func countNumbersFilesAndSeeds() throws {
    let result = try generate(
      "--duration", "1", "--seed", "5", "--count", "2", "--output", "take.wav", "--json")
    let lines = result.text.split(separator: "\n")
    #expect(lines.count == 2)
    let reports = try lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(reports.map { $0["path"] as? String } == ["take-1.wav", "take-2.wav"])
    #expect(reports.map { $0["seed"] as? Int } == [5, 6])
    for report in reports {
      #expect(report["seconds"] as? Double == 1)
      #expect((report["real_time_factor"] as? Double ?? 0) > 0)
      #expect((report["first_audio_ms"] as? Double ?? 0) > 0)
      #expect(report["recoveries"] is Int)
      #expect(report["limited_samples"] is Int)
      #expect((report["model"] as? [String: Any])?["name"] as? String == "tiny-noise")
      #expect((report["settings"] as? [String: Any])?["steps"] as? Int == 8)
      #expect((report["settings"] as? [String: Any])?["feedback_gain"] as? Double == 1)
    }
    _ = try generate("--duration", "1", "--seed", "6", "--output", "alone.wav")
    #expect(try bytes("take-2.wav") == bytes("alone.wav"))
  }

  @Test func seedIsPrintedAndReproduces() throws {
    let first = try generate("--duration", "0.5", "--output", "a.wav")
    let words = first.text.split(whereSeparator: \.isWhitespace)
    let seed = try #require(words.firstIndex(of: "seed").map { words[$0 + 1] })
    _ = try generate("--duration", "0.5", "--seed", String(seed), "--output", "b.wav")
    #expect(try bytes("a.wav") == bytes("b.wav"))
    #expect(first.text.contains("a.wav"))
    #expect(first.text.contains("real-time factor"))
  }

  @Test func quietSaysNothing() throws {
    let result = try generate("--duration", "0.5", "--quiet", "--output", "a.wav")
    #expect(result.output.isEmpty)
    #expect(result.error.isEmpty)
  }

  @Test func pictureIsDrawn() throws {
    _ = try generate("--duration", "1", "--output", "a.wav", "--picture", "a.png")
    #expect(try bytes("a.png").prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]))
  }

  @Test func promptIsContinued() throws {
    // Rate and channels of the package, so that no resampler is needed.
    try AudioFile.write(
      TinyPackage.recording(seconds: 1, sampleRate: 48_000, channels: 2), to: folder.path("prompt.wav"))
    _ = try generate("--duration", "1", "--seed", "1", "--output", "plain.wav")
    _ = try generate("--duration", "1", "--seed", "1", "--prompt", "prompt.wav", "--output", "continued.wav")
    _ = try generate(
      "--duration", "1", "--seed", "1", "--prompt", "prompt.wav", "--include-prompt", "--output", "whole.wav")
    let plain = try AudioFile.read(folder.path("plain.wav"))
    let continued = try AudioFile.read(folder.path("continued.wav"))
    let whole = try AudioFile.read(folder.path("whole.wav"))
    let prompt = try AudioFile.read(folder.path("prompt.wav"))
    #expect(plain != continued)
    // The continuation starts the codec's delay (30 ms) before the prompt ends.
    let start = prompt.frameCount - 1440
    #expect(whole.frameCount == start + continued.frameCount)
    #expect(whole.slice(frames: 0..<start) == prompt.slice(frames: 0..<start))
    // After the cross-fade of 5 ms it is the continuation itself.
    #expect(
      whole.slice(frames: start + 240..<whole.frameCount)
        == continued.slice(frames: 240..<continued.frameCount))
    // No click at the join: no step larger than the loudest step of its surroundings.
    let steps = zip(whole.channels[0], whole.channels[0].dropFirst()).map { abs($1 - $0) }
    let around = max(steps[0..<start - 1].max() ?? 0, steps[(start + 241)...].max() ?? 0)
    #expect((steps[start - 1..<start + 241].max() ?? 1) <= around)
  }

  @Test func monoPromptOfAnotherChannelCount() throws {
    try AudioFile.write(TinyPackage.recording(seconds: 0.5, sampleRate: 48_000), to: folder.path("mono.wav"))
    _ = try generate("--duration", "0.5", "--prompt", "mono.wav", "--output", "a.wav")
    #expect(try AudioFile.read(folder.path("a.wav")).channelCount == 2)
  }

  @Test func interruptLeavesAWholeFile() async throws {
    let process = try LegatoProcess.start(
      ["generate", "--model", "tiny", "--duration", "10h", "--output", "long.wav"], in: folder.url,
      output: FileHandle.nullDevice, error: FileHandle.nullDevice)
    // The writer's file aside appears once sound is being made.
    for _ in 0..<600 where !folder.contents.contains(where: { $0.hasSuffix(".partial") }) {
      try await Task.sleep(for: .milliseconds(20))
    }
    try await Task.sleep(for: .milliseconds(300))
    process.interrupt()
    for _ in 0..<1500 where process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 130)
    let sound = try AudioFile.read(folder.path("long.wav"))
    #expect(sound.frameCount > 0)
    #expect(abs(sound.channels[0].last ?? 1) < 0.01)
    #expect(folder.contents == ["long.wav", "tiny"])
  }

  @Test func closingThePlayerIsNoFailure() throws {
    let pipe = Pipe()
    let errors = Pipe()
    let process = try LegatoProcess.start(
      ["generate", "--model", "tiny", "--duration", "endless", "--output", "-"], in: folder.url, output: pipe,
      error: errors)
    try pipe.fileHandleForWriting.close()
    let head = try pipe.fileHandleForReading.read(upToCount: 4096)
    #expect(head?.prefix(4) == Data("RIFF".utf8))
    try pipe.fileHandleForReading.close()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 0)
  }

  @Test func modelIsFoundByVariableAndByFolder() throws {
    let named = try LegatoProcess.run(
      ["generate", "--duration", "0.5", "--output", "a.wav", "--seed", "1"], in: folder.url,
      environment: ["LEGATO_MODEL": folder.path("tiny")])
    #expect(named.status == 0, "\(named.error)")
    try FileManager.default.createDirectory(
      at: folder.url.appendingPathComponent("Models"), withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: folder.path("tiny"), toPath: folder.path("Models/legato-first"))
    let deep = folder.url.appendingPathComponent("a/b")
    try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
    let found = try LegatoProcess.run(
      ["generate", "--duration", "0.5", "--output", "b.wav", "--seed", "1"], in: deep)
    #expect(found.status == 0, "\(found.error)")
    #expect(try bytes("a.wav") == bytes("a/b/b.wav"))
  }

  @Test func tenMinutesTakeTheMemoryOfOne() throws {
    func peak(_ duration: String) throws -> Int {
      let result = try generate(
        "--duration", duration, "--seed", "1", "--steps", "2", "--output", "\(duration).wav", "--json")
      let report = try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
      return try #require(report["peak_memory_bytes"] as? Int)
    }
    let (one, ten) = (try peak("1m"), try peak("10m"))
    // The process's own: what the tests' process takes does not count.
    #expect(one < 100_000_000, "\(one)")
    #expect(ten < one + 4_000_000, "one minute \(one) bytes, ten minutes \(ten)")
  }
}
