import Foundation
import Testing

/// `legato bench`: what it says can be true, and what cannot be asked for is refused.
@Suite(.serialized) struct BenchTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func legato(_ arguments: String...) throws -> LegatoProcess.Result {
    try LegatoProcess.run(arguments, in: folder.url)
  }

  private func report(_ result: LegatoProcess.Result) throws -> [String: Any] {
    try #require(result.status == 0, "\(result.error)")
    return try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
  }

  @Test func measuresAFrame() throws {
    let report = try report(
      legato(
        "bench", "--preset", "tiny", "--weights", "int8", "--rounds", "1", "--listen", "0.1", "--threads",
        "1",
        "--json"))
    func number(_ name: String) throws -> Double { try #require(report[name] as? Double, "\(name)") }
    let (weights, footprint) = (try number("weight_bytes"), try number("footprint"))
    #expect(weights > 100_000 && footprint > weights)
    #expect(try number("memory") > footprint)
    for name in [
      "bandwidth", "limit", "real_time_factor", "prefill", "encode", "first_audio",
      "first_audio_after_prompt",
    ] {
      #expect(try number(name) > 0, "\(name)")
    }
    let listening = try #require(report["listening"] as? [[String: Any]])
    let depths = listening.compactMap { $0["depth"] as? Int }
    let latencies = listening.compactMap { $0["latency"] as? Double }
    #expect(depths.first == 2 && depths == depths.sorted() && latencies.count == depths.count)
    // A frame more of the ring is a frame more to wait.
    for index in depths.indices.dropFirst() {
      let frames = Double(depths[index] - depths[index - 1])
      #expect(abs(latencies[index] - latencies[index - 1] - frames / 25) < 1e-6)
    }
    #expect(listening.allSatisfy { ($0["blocks"] as? Int ?? 0) > 0 && ($0["underruns"] as? Int ?? -1) >= 0 })
  }

  @Test func tellsOfEveryMinute() throws {
    let report = try report(
      legato("bench", "--preset", "tiny", "--steps", "1", "--duration", "61s", "--json", "--quiet"))
    let minutes = try #require(report["minutes"] as? [[String: Any]])
    #expect(minutes.compactMap { $0["minute"] as? Int } == [1, 2])
    for minute in minutes {
      let (frame, slowest) = (minute["frame"] as? Double ?? 0, minute["slowest"] as? Double ?? 0)
      #expect(frame > 0 && slowest >= frame && (minute["memory"] as? Int ?? 0) > 1_000_000)
    }
  }

  @Test(arguments: [
    ["--sessions", "0"], ["--sessions", "257"], ["--steps", "0"], ["--rounds", "0"], ["--threads", "0"],
    ["--threads", "-1"], ["--threads", "10000"], ["--sessions", "1000000000"], ["--preset", ""],
    ["--listen", "-1"], ["--duration", "endless"], ["--duration", "0"],
    ["--duration", "1m", "--sessions", "2"], ["--preset", "huge"], ["--weights", "int2"],
    ["--preset", "tiny", "--model", "x"], ["--model", "nowhere"],
  ])
  func refuses(_ arguments: [String]) throws {
    let result = try LegatoProcess.run(["bench"] + arguments, in: folder.url)
    #expect(result.status != 0 && result.output.isEmpty)
    #expect(result.error.contains(arguments[0]) || result.error.contains(arguments[arguments.count - 1]))
  }
}
