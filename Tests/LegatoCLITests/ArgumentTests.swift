import ArgumentParser
import Testing

@testable import LegatoCLI

@Suite struct ArgumentTests {
  @Test(arguments: [
    ("90", 90.0), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2.5", 2.5), ("0.5s", 0.5), ("1d", 86_400),
  ])
  func durations(text: String, seconds: Double) {
    #expect(GenerationLength(argument: text) == .seconds(seconds))
  }

  @Test func endless() { #expect(GenerationLength(argument: "endless") == .endless) }

  @Test(arguments: [
    "", "-5", "nan", "inf", "1e9", "5 m", "m", "5x", "1m1h", "1.5m", "٣", "1.2.3", "infinity",
  ])
  func nonsenseDurations(text: String) { #expect(GenerationLength(argument: text) == nil) }

  @Test(arguments: [
    ["--duration", "0"], ["--duration=-5"], ["--duration", "nan"], ["--duration", "0.01"],
    ["--duration", "99999999999999999999"], ["--duration", "400d"],
    ["--steps", "0"], ["--steps", "1001"], ["--steps", "few"], ["--temperature=-1"],
    ["--temperature", "nan"],
    ["--temperature", "11"], ["--context-noise", "1.5"], ["--context-noise", "nan"], ["--threads", "0"],
    ["--feedback-gain", "0"], ["--feedback-gain", "2.1"], ["--feedback-gain", "nan"],
    ["--threads=-1"], ["--threads", "100000"], ["--count", "0"], ["--seed=-1"], ["--seed", "1.5"],
    ["--count", "2", "--output", "-"], ["--duration", "endless"], ["--include-prompt"], ["--output", ""],
    ["--output", "piece.mp3"], ["--format", "pcm12"], ["--nonsense"], ["surplus"],
  ])
  func nonsenseIsRefusedBeforeAnythingIsLoaded(arguments: [String]) {
    do {
      _ = try LegatoCommand.parseAsRoot(["generate"] + arguments)
      Issue.record("\(arguments) was accepted")
    } catch {
      #expect(LegatoCommand.exitCode(for: error) == .validationFailure)
      #expect(!LegatoCommand.message(for: error).isEmpty)
    }
  }

  @Test func goodArgumentsAreAccepted() throws {
    let command = try LegatoCommand.parseAsRoot([
      "generate", "--model", "m", "--duration", "endless", "--output", "-", "--seed", "18446744073709551615",
      "--temperature", "0", "--steps", "1", "--context-noise", "0.1", "--threads", "2", "--quiet",
    ])
    let generate = try #require(command as? Generate)
    #expect(generate.seed.value() == .max)
    #expect(generate.duration == .endless)
  }

  @Test func noLengthNamesTheRange() {
    do {
      _ = try LegatoCommand.parseAsRoot(["generate", "--duration", "0"])
      Issue.record("--duration 0 was accepted")
    } catch {
      #expect(LegatoCommand.message(for: error).contains("from 0.1 s to 365d"))
    }
  }

  @Test(arguments: [["--time-limit", "soon"], ["--device", "gpu"], ["--threads", "0"]])
  func trainRefusesNonsense(arguments: [String]) {
    #expect(throws: (any Error).self) {
      try LegatoCommand.parseAsRoot(["train", "recipe.yaml"] + arguments)
    }
  }

  @Test func helpIsAManual() {
    let root = LegatoCommand.helpMessage()
    for word in [
      "generate", "corpus", "prepare", "train", "encode", "decode", "compare", "drift", "info", "Exit codes",
      "legato generate --duration",
    ] {
      #expect(root.contains(word), "the root help lacks '\(word)'")
    }
    let generate = LegatoCommand.helpMessage(for: Generate.self)
    for option in [
      "--model", "--duration", "--prompt", "--include-prompt", "--seed", "--temperature", "--steps",
      "--context-noise", "--feedback-gain",
      "--threads", "--count", "--output", "--picture", "--json", "--quiet", "ffplay",
    ] {
      #expect(generate.contains(option), "the help of generate lacks '\(option)'")
    }
  }

  @Test(arguments: [
    ("a.wav", 2, 3, "a-2.wav"), ("a.wav", 1, 1, "a.wav"), ("x/a.b.wav", 1, 2, "x/a.b-1.wav"),
    ("take", 10, 10, "take-10"),
    ("dir.d/take", 1, 2, "dir.d/take-1"),
  ])
  func numberedNames(path: String, index: Int, count: Int, expected: String) {
    #expect(OutputNames.numbered(path, index, of: count) == expected)
  }
}
