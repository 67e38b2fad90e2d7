import Foundation
import LegatoAudio
import Testing

@testable import LegatoCLI

/// Ctrl-C while files are made: the exit code that shells expect, nothing half-written, and the same command goes on.
@Suite(.serialized) final class InterruptionTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Starts, waits until `ready`, interrupts; the status and what was said.
  private func interrupted(_ arguments: [String], when ready: () -> Bool) throws -> (
    status: Int32, error: String
  ) {
    let errors = folder.url.appendingPathComponent("stderr.txt")
    try Data().write(to: errors)
    defer { try? FileManager.default.removeItem(at: errors) }
    let process = try LegatoProcess.start(
      arguments, in: folder.url, output: FileHandle.nullDevice, error: try FileHandle(forWritingTo: errors))
    let deadline = Date().addingTimeInterval(60)
    while Date() < deadline, process.isRunning, !ready() { Thread.sleep(forTimeInterval: 0.01) }
    process.interrupt()
    process.waitUntilExit()
    try #require(process.terminationReason == .exit)
    return (process.terminationStatus, try String(contentsOf: errors, encoding: .utf8))
  }

  private func files(_ path: String) -> [String] {
    ((try? FileManager.default.subpathsOfDirectory(atPath: folder.path(path))) ?? []).sorted()
  }

  private func halfWritten(_ path: String) -> [String] {
    files(path).filter { $0.hasSuffix(".tmp") || $0.contains(".partial") }
  }

  @Test func corpus() throws {
    let arguments = [
      "corpus", "--hours", "0.2", "--maximum-minutes", "1", "--instrument", "piano", "--threads", "1",
      "--output",
      "corpus", "--quiet",
    ]
    let result = try interrupted(arguments) { files("corpus").contains { $0.hasSuffix("piece-000001.wav") } }
    #expect(result.status == 130, "\(result.error)")
    #expect(
      result.error.split(separator: "\n").count == 1 && result.error.hasPrefix("legato: "), "\(result.error)")
    #expect(halfWritten("corpus").isEmpty)
    let before = files("corpus").filter { $0.hasSuffix(".wav") }.count
    #expect(before >= 2 && before < 12)
    for name in files("corpus") where name.hasSuffix(".wav") {
      #expect(try AudioFile.info(folder.path("corpus/" + name)).frames ?? 0 > 59 * 48_000)
    }
    let again = try LegatoProcess.run(arguments, in: folder.url)
    #expect(again.status == 0, "\(again.error)")
    #expect(files("corpus").filter { $0.hasSuffix(".wav") }.count > before)
  }

  @Test func prepare() throws {
    try TinyPackage.write(to: folder.path("tiny"))
    try FileManager.default.createDirectory(atPath: folder.path("in"), withIntermediateDirectories: true)
    try AudioFile.write(
      TinyPackage.recording(seconds: 120, sampleRate: 8000, channels: 1), to: folder.path("in/0.wav"))
    // Each another recording, if only by a sample: copies would be left out.
    var bytes = try Data(contentsOf: folder.url.appendingPathComponent("in/0.wav"))
    for index in 1..<40 {
      bytes[bytes.count / 2] = UInt8(index)
      try bytes.write(to: folder.url.appendingPathComponent("in/\(index).wav"))
    }
    let arguments = [
      "prepare", "in", "--codec", "tiny/codec", "--output", "latents", "--excerpts", "0", "--threads", "1",
      "--quiet",
    ]
    let result = try interrupted(arguments) { !files("latents").isEmpty }
    #expect(result.status == 130, "\(result.error)")
    #expect(
      result.error.split(separator: "\n").count == 1 && result.error.hasPrefix("legato: "), "\(result.error)")
    #expect(!files("latents").contains("latents.json"))
    let again = try LegatoProcess.run(arguments, in: folder.url)
    #expect(again.status == 0, "\(again.error)")
    #expect(halfWritten("latents").isEmpty)
    let info = try LegatoProcess.run(["info", "latents", "--json"], in: folder.url)
    let fields = try #require(try JSONSerialization.jsonObject(with: info.output) as? [String: Any])
    #expect(fields["pieces"] as? Int == 40)
  }
}
