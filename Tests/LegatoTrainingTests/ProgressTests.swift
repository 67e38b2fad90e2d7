import Foundation
import Synchronization
import Testing

@testable import LegatoTraining

/// Collects what would be shown.
private final class CollectedOutput: ProgressOutput {
  let isTerminal: Bool
  let width: Int
  private let parts = Mutex<[String]>([])

  init(isTerminal: Bool, width: Int = 200) {
    self.isTerminal = isTerminal
    self.width = width
  }

  func write(_ text: String) { parts.withLock { $0.append(text) } }

  var written: [String] { parts.withLock { $0 } }
}

/// A clock that tests turn by hand.
final class HandClock: Sendable {
  private let time = Mutex(0.0)
  func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
  var now: Double { time.withLock { $0 } }
}

@Suite struct ProgressLineTests {
  private func run(
    isTerminal: Bool, style: ProgressStyle = .automatic, width: Int = 200, steps: Int, every seconds: Double
  ) -> [String] {
    let output = CollectedOutput(isTerminal: isTerminal, width: width)
    let clock = HandClock()
    let line = ProgressLine("train", total: 1000, unit: "step", style: style, output: output) { clock.now }
    for step in 1...steps {
      clock.advance(seconds)
      line.update(step, [("loss", .number(0.5)), ("state", "warm")])
    }
    line.finish()
    line.update(steps + 1)
    return output.written
  }

  @Test func aTerminalIsRedrawnTenTimesASecondAtMost() {
    let written = run(isTerminal: true, steps: 1000, every: 0.01)
    #expect((85...104).contains(written.count), "\(written.count)")
    #expect(written.dropLast().allSatisfy { $0.hasPrefix("\rtrain ") && $0.hasSuffix("\u{1B}[K") })
    #expect(written.last == "\n")
    #expect(
      written[50].contains("100.0 steps/s") && written[50].contains("left")
        && written[50].contains("loss 0.5"))
    #expect(written[50].contains("state warm"))
    #expect(
      written[written.count - 2].contains("1000/1000 (100 %)") && !written[written.count - 2].contains("left")
    )
  }

  @Test func aTerminalLineIsNotLongerThanItsWidth() {
    for text in run(isTerminal: true, width: 30, steps: 50, every: 0.2).dropLast() {
      #expect(text.dropFirst().dropLast(3).count <= 29)
    }
  }

  @Test func elsewhereAPlainLineEveryTenSeconds() {
    let written = run(isTerminal: false, steps: 1000, every: 0.1)
    #expect((10...12).contains(written.count))
    #expect(written.allSatisfy { !$0.contains("\r") && !$0.contains("\u{1B}") && $0.hasSuffix("\n") })
  }

  @Test func quietShowsNothingButMessages() {
    #expect(run(isTerminal: true, style: .quiet, steps: 100, every: 1).isEmpty)
    let output = CollectedOutput(isTerminal: true)
    let line = ProgressLine("x", total: nil, unit: "file", style: .quiet, output: output)
    line.message("careful")
    #expect(output.written == ["careful\n"])
  }

  @Test func jsonIsOneObjectALine() throws {
    let written = run(isTerminal: true, style: .json, steps: 100, every: 0.1)
    #expect((10...12).contains(written.count))
    for text in written {
      let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect(object["total"] as? Int == 1000 && object["state"] as? String == "warm")
    }
    #expect(written.last?.contains("\"event\":\"finished\"") == true)
  }

  @Test func messagesGoAboveTheLine() {
    let output = CollectedOutput(isTerminal: true)
    let line = ProgressLine("x", total: 5, unit: "file", output: output)
    line.message("before")
    line.update(1)
    line.message("between")
    #expect(output.written[0] == "before\n")
    #expect(output.written[2] == "\r\u{1B}[Kbetween\n" && output.written[3].contains("x 1/5"))
  }

  @Test func aResumedTaskCountsItsOwnStepsOnly() {
    let output = CollectedOutput(isTerminal: false)
    let clock = HandClock()
    let line = ProgressLine("x", total: 2000, unit: "step", output: output) { clock.now }
    line.update(1000)
    clock.advance(10)
    line.update(1010)
    #expect(
      output.written.last?.contains("1.0 steps/s") == true
        || output.written.last?.contains("1 steps/s") == true)
    #expect(output.written.last?.contains("16:30 left") == true)
  }

  @Test func manyThreads() {
    let output = CollectedOutput(isTerminal: false)
    let line = ProgressLine("x", total: 800, unit: "step", output: output)
    DispatchQueue.concurrentPerform(iterations: 8) { part in
      for i in 0..<100 { line.update(part * 100 + i, [("a", 1)]) }
    }
    line.finish()
    #expect(output.written.count == 2)
  }

  @Test func texts() {
    #expect(ProgressLine.clockText(59.6) == "1:00" && ProgressLine.clockText(3661) == "1:01:01")
    #expect(ProgressLine.clockText(200_000) == "2d 7h" && ProgressLine.clockText(.infinity) == "∞")
    #expect(ProgressLine.rateText(0.25, "step") == "4 s/step")
    #expect(ProgressLine.significant(.nan) == "nan" && ProgressLine.significant(1e-5) == "1.00e-05")
    #expect(ProgressLine.significant(0.12345) == "0.1235" || ProgressLine.significant(0.12345) == "0.1234")
    #expect(ProgressLine.significant(123456) == "123456" && ProgressLine.significant(0) == "0")
  }
}

@Suite struct ProgressLogTests {
  @Test func appendsAndReads() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/progress.jsonl"
    let log = try ProgressLog(path: path)
    try log.append(step: 1, ["loss": 0.5, "b": "text\n\"x\"", "a": 3])
    try log.append(step: 2, ["loss": .number(.nan), "up": .number(.infinity), "down": .number(-.infinity)])
    let records = try ProgressLog.read(path)
    #expect(records.count == 2)
    #expect(records[0]["step"] as? Int == 1 && records[0]["loss"] as? Double == 0.5)
    #expect(records[0]["b"] as? String == "text\n\"x\"")
    #expect(records[1]["loss"] as? String == "nan" && records[1]["down"] as? String == "-inf")
    let first = String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    #expect(first.hasPrefix("{\"step\":1,\"time\":") && first.contains("\"a\":3,\"b\""))
  }

  @Test func resumingDropsLaterAndTornLines() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/progress.jsonl"
    let text = """
      {"step":1,"loss":1}
      {"note":"no step"}
      {"step":2,"loss":2}
      {"step":3,"loss":3}
      garbage
      {"step":2,"loss":2.5}
      {"step":4,"lo
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    let log = try ProgressLog(path: path, resumingAfter: 2)
    #expect(log.droppedLines == 3)
    try log.append(step: 3, ["loss": 30])
    let records = try ProgressLog.read(path)
    #expect(records.map { $0["step"] as? Int } == [1, nil, 2, 2, 3])
    #expect(records.last?["loss"] as? Int == 30)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["progress.jsonl"])
  }

  @Test func reopeningKeepsAllWholeLines() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/p"
    for step in 1...3 { try ProgressLog(path: path).append(step: step, [:]) }
    #expect(try ProgressLog.read(path).count == 3)
    try FileManager.default.removeItem(atPath: path)
    #expect(throws: RunError.self) { try ProgressLog.read(path) }
    #expect(throws: RunError.self) { try ProgressLog(path: folder.path + "/none/p") }
    #expect(throws: RunError.self) { try ProgressLog(path: folder.path) }
  }

  @Test func wholeLinesFromManyThreads() throws {
    let folder = try TemporaryFolder()
    let log = try ProgressLog(path: folder.path + "/p")
    DispatchQueue.concurrentPerform(iterations: 8) { part in
      for i in 0..<50 { try? log.append(step: part * 50 + i, ["x": .text(String(repeating: "y", count: i))]) }
    }
    #expect(try ProgressLog.read(log.path).count == 400)
  }
}

@Suite struct ProgressTensorBoardTests {
  /// RFC 3720, B.4, and the usual check value.
  @Test func crc32c() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(CRC32C.checksum((0..<32).reversed().map { UInt8($0) }) == 0x113F_DB5C)
    #expect(CRC32C.checksum([]) == 0)
  }

  @Test func protobufWireFormat() {
    var inner = ProtobufMessage()
    inner.add(1, integer: 150)
    #expect(inner.bytes == [0x08, 0x96, 0x01])
    var message = ProtobufMessage()
    message.add(2, string: "testing")
    message.add(3, message: inner)
    message.add(4, float: 1)
    message.add(5, double: 1)
    message.add(1, integer: -1)
    #expect(
      message.bytes == [0x12, 7] + Array("testing".utf8) + [
        0x1A, 3, 0x08, 0x96, 0x01, 0x25, 0, 0, 0x80, 0x3F,
      ]
        + [0x29, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F] + [0x08] + [UInt8](repeating: 0xFF, count: 9) + [1])
  }

  /// Splits a file into its records, checking every checksum.
  private func records(_ path: String) throws -> [[UInt8]] {
    var bytes = Array(try #require(FileManager.default.contents(atPath: path)))[...]
    var result: [[UInt8]] = []
    func word(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
    while !bytes.isEmpty {
      let head = bytes.prefix(8)
      let count = Int(word(head.prefix(4)))
      #expect(word(bytes.dropFirst(8).prefix(4)) == CRC32C.masked(head))
      let content = bytes.dropFirst(12).prefix(count)
      #expect(content.count == count)
      #expect(word(bytes.dropFirst(12 + count).prefix(4)) == CRC32C.masked(content))
      result.append(Array(content))
      bytes = bytes.dropFirst(16 + count)
    }
    return result
  }

  @Test func events() throws {
    let folder = try TemporaryFolder()
    let writer = try TensorBoardWriter(folder: folder.path, resumingAfter: 4) { 2 }
    try writer.scalar("loss", 0.5, step: 5)
    let records = try records(writer.path)
    let time: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0, 0x40]
    #expect(records[0] == time + [0x1A, 13] + Array("brain.Event:2".utf8))
    #expect(records[1] == time + [0x10, 5, 0x3A, 2, 0x08, 1])
    #expect(
      records[2] == time + [0x10, 5, 0x2A, 13, 0x0A, 11, 0x0A, 4] + Array("loss".utf8) + [
        0x15, 0, 0, 0, 0x3F,
      ])
    #expect((writer.path as NSString).lastPathComponent.hasPrefix("events.out.tfevents.0000000002."))
  }

  @Test func picturesAndSounds() throws {
    let folder = try TemporaryFolder()
    let writer = try TensorBoardWriter(folder: folder.path)
    let png: [UInt8] =
      [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8)
      + [0, 0, 1, 0x40, 0, 0, 0, 0x80, 8, 2, 0, 0, 0, 1, 2, 3, 4]
    try writer.image("picture", png: png, step: 1)
    #expect { try writer.image("picture", png: Array("GIF89a".utf8), step: 1) } throws: {
      "\($0)".contains("PNG")
    }
    try writer.audio("sound", wav: [1, 2, 3], sampleRate: 48000, channels: 2, frames: 7, step: 1)
    let records = try records(writer.path)
    #expect(records.count == 3)
    // Image: height 128, width 320, three channels.
    let image: [UInt8] = [0x08, 0x80, 0x01, 0x10, 0xC0, 0x02, 0x18, 3, 0x22, UInt8(png.count)] + png
    #expect(records[1].suffix(image.count + 2) == ([0x22, UInt8(image.count)] + image)[...])
    let sound: [UInt8] =
      [0x0D, 0, 0x80, 0x3B, 0x47, 0x10, 2, 0x18, 7, 0x22, 3, 1, 2, 3, 0x2A, 9] + Array("audio/wav".utf8)
    #expect(records[2].suffix(sound.count + 2) == ([0x32, UInt8(sound.count)] + sound)[...])
  }

  @Test func everyStartHasItsOwnFile() throws {
    let folder = try TemporaryFolder()
    let paths = try (0..<3).map { _ in
      try TensorBoardWriter(folder: folder.path, resumingAfter: nil) { 7 }.path
    }
    #expect(Set(paths).count == 3)
    #expect(throws: RunError.self) { try TensorBoardWriter(folder: folder.path + "/none") }
  }
}
