import Foundation
import Testing

@testable import LegatoTensor

@Suite final class DurableFileTests {
  private let folder = NSTemporaryDirectory() + "/legato-durable-\(UUID().uuidString)"

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private var contents: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  private func link(_ name: String, to target: String) throws -> String {
    try FileManager.default.createSymbolicLink(atPath: folder + "/" + name, withDestinationPath: target)
    return folder + "/" + name
  }

  private func failure(_ body: () throws -> Void) -> SystemCallError? {
    #expect(throws: SystemCallError.self) { try body() }
  }

  @Test func appearsWhenItIsComplete() throws {
    let file = try DurableFile(path: folder + "/a")
    try file.write([1, 2])
    try file.write([3])
    try file.write([9], at: 0)
    #expect(contents.count == 1 && contents[0] != "a")
    try file.commit()
    #expect(contents == ["a"])
    #expect(FileManager.default.contents(atPath: folder + "/a") == Data([9, 2, 3]))
    do {
      let forgotten = try DurableFile(path: folder + "/a")
      try forgotten.write([1])
    }
    #expect(contents == ["a"] && FileManager.default.contents(atPath: folder + "/a")?.count == 3)
  }

  @Test func aLongNameIsAsGoodAsAny() throws {
    // 255 bytes in 85 characters: what is put aside must not need more.
    let name = String(repeating: "音", count: 85)
    try DurableFile.write([1], to: folder + "/" + name)
    #expect(contents == [name])
  }

  @Test func linksKeepPointing() throws {
    try FileManager.default.createDirectory(atPath: folder + "/inner", withIntermediateDirectories: false)
    let second = try link("second", to: "first")
    _ = try link("first", to: "inner/real")
    // The target is not there yet, then it is.
    for byte: UInt8 in [1, 2] {
      try DurableFile.write([byte], to: second)
      #expect(FileManager.default.contents(atPath: folder + "/inner/real") == Data([byte]))
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: second) == "first")
    }
    #expect(contents == ["first", "inner", "second"])
    let circle = try link("circle", to: "circle")
    #expect(failure { try DurableFile.write([1], to: circle) }?.code == ELOOP)
  }

  @Test func aPipeIsWrittenInOrder() throws {
    let fifo = folder + "/fifo"
    #expect(mkfifo(fifo, 0o600) == 0)
    // Open for both, so that nobody waits.
    let reader = open(fifo, O_RDWR)
    defer { close(reader) }
    let file = try DurableFile(path: fifo)
    #expect(!file.isSeekable)
    try file.write([1, 2])
    try file.write([3], at: 2)
    try file.commit()
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(read(reader, &bytes, 8) == 3 && bytes[..<3] == [1, 2, 3])
    let again = try DurableFile(path: fifo)
    try again.write([1, 2])
    #expect(failure { try again.write([9], at: 0) }?.code == ESPIPE)
    var status = stat()
    #expect(stat(fifo, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
  }

  @Test func impossiblePlacesAreKnownBefore() throws {
    try DurableFile.write([1], to: folder + "/plain")
    for (name, code) in [
      ("/none/a", ENOENT), ("/plain/a", ENOTDIR), ("/", EISDIR), ("", EISDIR), ("/plain/", EISDIR),
    ] {
      #expect(failure { try DurableFile.check(path: folder + name) }?.code == code, "\(name)")
      #expect(failure { try DurableFile.write([1], to: folder + name) }?.code == code, "\(name)")
    }
    try DurableFile.check(path: folder + "/plain")
    try DurableFile.check(path: "-")
    #expect(contents == ["plain"])
  }
}
