import Foundation
import Legato
import LegatoAudio
import Testing

/// C programs that are compiled against legato.h and the library that was built beside the tests, and run.
@Suite struct CInterfaceTests {
  struct Result {
    var status: Int32
    var crashed: Bool
    var output: String
  }

  /// Folder of the library that was built beside the tests.
  static let libraryFolder: URL? = {
    #if canImport(Darwin)
      let name = "libLegatoC.dylib"
    #else
      let name = "libLegatoC.so"
    #endif
    let bundles =
      Bundle.allBundles.map(\.bundleURL)
      + [Bundle.main.bundleURL, Bundle.main.executableURL].compactMap { $0 }
    return bundles.flatMap { [$0, $0.deletingLastPathComponent()] }.first {
      FileManager.default.fileExists(atPath: $0.appendingPathComponent(name).path)
    }
  }()

  /// What compiles C here: Swift itself brings a clang.
  static func compiler(_ names: [String]) -> String {
    names.first { (try? run(["sh", "-c", "command -v \($0)"]).status) == 0 } ?? names[0]
  }
  static let c = compiler(["cc", "clang", "gcc"])
  static let cPlusPlus = compiler(["c++", "clang++", "g++"])

  static func run(_ arguments: [String], in folder: URL = root) throws -> Result {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).out")
    defer { try? FileManager.default.removeItem(at: file) }
    _ = FileManager.default.createFile(atPath: file.path, contents: nil)
    let handle = try FileHandle(forWritingTo: file)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    process.waitUntilExit()
    try handle.close()
    return Result(
      status: process.terminationStatus, crashed: process.terminationReason == .uncaughtSignal,
      output: String(decoding: try Data(contentsOf: file), as: UTF8.self))
  }

  /// Compiles a program of one file with every warning an error; its path.
  static func compiled(_ source: String, standard: String, into folder: URL) throws -> String {
    let library = try #require(libraryFolder, "libLegatoC was not built beside the tests")
    let program = folder.appendingPathComponent("program").path
    let result = try run(
      [
        c, "-std=\(standard)", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, "-I",
        "Sources/CLegato/include", "-L", library.path, "-lLegatoC", "-Wl,-rpath,\(library.path)", "-o",
        program,
      ] + (standard.hasPrefix("gnu") ? ["-rdynamic"] : []) + ["-lpthread", "-lm"])
    #expect(result.status == 0, "\(result.output)")
    return program
  }

  static func withFolder<Value>(_ body: (URL) throws -> Value) throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "legato-c-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }

  @Test(arguments: [("c", "c99"), ("c", "c17"), ("c++", "c++11"), ("c++", "c++20")])
  func theHeaderCompiles(language: String, standard: String) throws {
    let result = try Self.run([
      language == "c" ? Self.c : Self.cPlusPlus, "-std=\(standard)", "-Wall", "-Wextra", "-Wpedantic",
      "-Werror",
      "-fsyntax-only", "-x", language, "Sources/CLegato/include/legato.h",
    ])
    #expect(result.status == 0, "\(result.output)")
  }

  @Test func theContractHolds() throws {
    try Self.withFolder { folder in
      try Tiny.write(to: folder.path + "/tiny", styles: ["calm", "wild"])
      let program = try Self.compiled(
        "Tests/LegatoRealtimeTests/Programs/contract.c", standard: "c99", into: folder)
      let result = try Self.run([program, folder.path + "/tiny"])
      #expect(result.status == 0 && !result.crashed, "\(result.output)")
      #expect(result.output == "0 failures\n")
    }
  }

  @Test func theExamplePlaysInRealTime() throws {
    try Self.withFolder { folder in
      let program = try Self.compiled("Examples/C/play.c", standard: "c99", into: folder)
      let file = folder.path + "/play.wav"
      let start = Date()
      let result = try Self.run([program, shippedPackage, file, "--seconds", "2", "--depth", "8"])
      #expect(result.status == 0, "\(result.output)")
      // It plays two seconds in two seconds, or more where the machine is busy.
      #expect(Date().timeIntervalSince(start) >= 1.9)
      #expect(result.output.contains("underruns"))

      // As fast as possible nothing may be missing, whatever the machine does; then it is a session's music.
      let fast = try Self.run([program, shippedPackage, file, "--seconds", "2", "--fast", "--threads", "1"])
      #expect(
        fast.status == 0 && fast.output.contains("96000 samples of 2 channels, 0 underruns"), "\(fast.output)"
      )
      let sound = try AudioFile.read(file)
      #expect(sound.sampleRate == 48_000 && sound.channels.map(\.count) == [96_000, 96_000])
      #expect(sound.channels.joined().contains { abs($0) > 0.01 })

      for wrong in [
        [], ["/no/package", file], [shippedPackage, file, "--what", "1"],
        [shippedPackage, folder.path, "--seconds", "0.1", "--fast"],
      ] {
        let failed = try Self.run([program] + wrong)
        #expect(
          failed.status != 0 && !failed.crashed && failed.output.hasPrefix("play: "), "\(failed.output)")
      }
    }
  }

  // Only glibc lets a program count the library's calls of malloc.
  #if os(Linux) && canImport(Glibc)
    @Test(arguments: [1, 3]) func fromTheSecondSecondOnNothingIsAllocatedAndNothingLocked(threads: Int) throws
    {
      try Self.withFolder { folder in
        let program = try Self.compiled(
          "Tests/LegatoRealtimeTests/Programs/allocations.c", standard: "gnu11", into: folder)
        let result = try Self.run([program, shippedPackage, "20", "\(threads)"])
        #expect(result.status == 0, "\(result.output)")
        var counts: [String: Int] = [:]
        for line in result.output.split(separator: "\n") {
          let words = line.split(separator: " ")
          if words.count == 2 { counts[String(words[0])] = Int(words[1]) }
        }
        #expect(counts["steady_allocations"] == 0, "\(result.output)")
        #expect(counts["steady_frees"] == 0)
        #expect(counts["steady_locks"] == 0)
        // 25 frames a second, 21 seconds of them, and some in the ring.
        #expect(try #require(counts["frames"]) > 25 * 21)
        // The counter counts: making the session allocates, and so does saving a state.
        #expect(try #require(counts["first_allocations"]) > 100)
        #expect(try #require(counts["saving_allocations"]) > 2)
        // What the stream says that it takes is no less than what malloc gave; large memory comes from elsewhere.
        let (said, taken) = (try #require(counts["said_bytes"]), try #require(counts["stream_bytes"]))
        #expect(said >= taken && taken > 0, "\(said) bytes said, \(taken) taken")
      }
    }
  #endif
}
