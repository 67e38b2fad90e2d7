import Foundation
import LegatoAudio
import LegatoTensor
import Testing

@testable import LegatoCLI

/// Where results go: links, pipes, a full disk, a reader that has gone away.
@Suite(.serialized) final class OutputTests {
  private let folder: TemporaryFolder
  /// The device that is always full; only Linux has it. It is opened for writing here and never renamed over.
  private static let hasFull = FileManager.default.fileExists(atPath: "/dev/full")

  init() throws {
    folder = try TemporaryFolder()
    try TinyPackage.write(to: folder.path("tiny"))
  }

  private func legato(_ arguments: String...) throws -> LegatoProcess.Result {
    try LegatoProcess.run(arguments, in: folder.url)
  }

  /// Runs with standard output going elsewhere; what it says on standard error.
  private func legato(
    output: Any, _ arguments: String...
  ) throws -> (status: Int32, error: String) {
    let errors = Pipe()
    let process = try LegatoProcess.start(arguments, in: folder.url, output: output, error: errors)
    try errors.fileHandleForWriting.close()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    return (process.terminationStatus, text)
  }

  private func isLink(_ name: String, to target: String) throws -> Bool {
    try FileManager.default.destinationOfSymbolicLink(atPath: folder.path(name)) == target
  }

  private func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: folder.path(name), withDestinationPath: target)
  }

  private func recording(_ name: String, seconds: Double = 1) throws {
    try AudioFile.write(
      TinyPackage.recording(seconds: seconds, sampleRate: 48_000, channels: 2), to: folder.path(name))
  }

  @Test func encodeWritesThroughLinksAndPipes() throws {
    try recording("in.wav")
    try FileManager.default.createDirectory(atPath: folder.path("far"), withIntermediateDirectories: false)
    try link("link", to: "far/real")
    let linked = try legato("encode", "in.wav", "--codec", "tiny", "--output", "link")
    #expect(linked.status == 0, "\(linked.error)")
    #expect(try isLink("link", to: "far/real"))
    let latents = try Data(contentsOf: folder.url.appendingPathComponent("far/real"))
    #expect(!latents.isEmpty)

    #expect(mkfifo(folder.path("fifo"), 0o600) == 0)
    let reader = Process()
    reader.executableURL = URL(fileURLWithPath: "/bin/sh")
    reader.arguments = ["-c", "cat '\(folder.path("fifo"))' > '\(folder.path("copy"))'"]
    try reader.run()
    let piped = try legato("encode", "in.wav", "--codec", "tiny", "--output", "fifo")
    #expect(piped.status == 0, "\(piped.error)")
    // Opened for both, a pipe lets a reader go that still waits, as it would for a file put in the pipe's place.
    if piped.status != 0 { close(open(folder.path("fifo"), O_RDWR | O_NONBLOCK)) }
    reader.waitUntilExit()
    #expect(try Data(contentsOf: folder.url.appendingPathComponent("copy")) == latents)
    #expect(folder.contents == ["copy", "far", "fifo", "in.wav", "link", "tiny"])
    #expect(try legato("encode", "in.wav", "--codec", "tiny", "--output", "-").status == 64)
  }

  @Test func driftWritesThroughLinks() throws {
    try FileManager.default.createDirectory(atPath: folder.path("real"), withIntermediateDirectories: false)
    for index in 0..<6 { try recording("real/\(index).wav", seconds: 8 + Double(index) / 10) }
    try FileManager.default.createDirectory(atPath: folder.path("far"), withIntermediateDirectories: false)
    for ending in ["md", "svg", "json"] { try link("out.\(ending)", to: "far/real.\(ending)") }
    let result = try legato(
      "drift", "--recordings", "real", "--model", "tiny", "--duration", "4s", "--bin", "2", "--count", "2",
      "--output", "out")
    #expect(result.status == 0, "\(result.error)")
    // Into a log, too: it takes minutes.
    #expect(result.error.contains("real recordings 6/6") && result.error.contains("generate 8/8"))
    for ending in ["md", "svg", "json"] {
      #expect(try isLink("out.\(ending)", to: "far/real.\(ending)"))
      #expect(FileManager.default.fileExists(atPath: folder.path("far/real.\(ending)")))
    }
  }

  @Test(.enabled(if: hasFull)) func aLostResultIsAFailure() throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let info = try legato(output: full, "info", "tiny")
    #expect(info.status == 1)
    #expect(info.error.hasPrefix("legato: standard output: ") && info.error.contains("the disk is full"))
    #expect(info.error.split(separator: "\n").count == 1)
    let generate = try legato(
      output: full, "generate", "--model", "tiny", "--duration", "0.5", "--output", "a.wav", "--json")
    #expect(generate.status == 1)
    #expect(generate.error.hasPrefix("legato: standard output: "))
    let streamed = try legato(
      output: full, "generate", "--model", "tiny", "--duration", "0.5", "--output", "-")
    #expect(streamed.status == 1)
    #expect(streamed.error.hasPrefix("legato: standard output: the disk is full"), "\(streamed.error)")
    #expect(!streamed.error.contains("left behind"))
  }

  @Test func aReaderThatHasGoneAwayIsNone() throws {
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let result = try legato(output: pipe, "info", "tiny")
    #expect(result.status == 0 && result.error.isEmpty, "\(result.error)")
  }

  @Test(.enabled(if: hasFull)) func withoutItsPictureASoundIsStillReported() throws {
    let made = try legato(
      "generate", "--model", "tiny", "--duration", "0.5", "--output", "a.wav", "--picture", "/dev/full")
    #expect(made.status == 1)
    #expect(made.message.hasPrefix("legato: /dev/full: the disk is full"), "\(made.error)")
    #expect(made.text.contains("a.wav") && made.text.contains("seed "))
    #expect(!made.text.contains("/dev/full"))
    #expect(try AudioFile.read(folder.path("a.wav")).frameCount == 24_000)

    #expect(try legato("encode", "a.wav", "--codec", "tiny", "--output", "a.st").status == 0)
    let decoded = try legato(
      "decode", "a.st", "--codec", "tiny", "--output", "b.wav", "--picture", "/dev/full", "--json")
    #expect(decoded.status == 1)
    let report = try JSONSerialization.jsonObject(with: decoded.output) as? [String: Any]
    #expect(report?["path"] as? String == "b.wav" && report?["picture"] == nil)
  }
}
