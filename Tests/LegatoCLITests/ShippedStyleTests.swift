import Foundation
import Legato
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoCLI

/// The styles of the package that ships, by what is heard.
@Suite struct ShippedStyleTests {
  private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Models/legato-first")
    .path

  private func measure(_ session: Session, seconds: Double) throws -> MusicMeasure {
    var sound = AudioBuffer(
      sampleRate: session.sampleRate, channels: Array(repeating: [], count: session.channels))
    while sound.duration < seconds {
      for (channel, samples) in session.next().channels.enumerated() { sound.channels[channel] += samples }
    }
    return try MusicMeasure(sound, engine: CPUEngine(threads: 1))
  }

  @Test func aChangeOfStyleIsHeardWithinTwoSeconds() throws {
    let package = try ModelPackage(path: Self.path)
    func style(_ name: String) throws -> Style { try #require(package.styles.first { $0.name == name }) }
    var options = package.options(seed: 11)
    options.style = try style("piano")
    let session = Session(package, options: options, threads: 2)
    // Strings are the only ones with many pitches at once and no onsets, flutes the only ones of such purity and colour.
    let heard: [(String, (MusicMeasure) -> Bool)] = [
      ("piano", { $0.onsetsPerSecond > 1 && $0.pitchSalience < 0.93 && $0.spectralCentroid < 700 }),
      ("flute", { $0.pitchSalience > 0.985 && $0.spectralCentroid > 750 }),
      ("strings", { $0.onsetsPerSecond < 0.3 && $0.pitchSalience < 0.87 }),
      ("piano", { $0.onsetsPerSecond > 1 && $0.pitchSalience < 0.93 && $0.spectralCentroid < 700 }),
    ]
    for (name, isHeard) in heard {
      session.options.style = try style(name)
      _ = try measure(session, seconds: 2)
      let measure = try measure(session, seconds: 12)
      #expect(isHeard(measure), "\(name): \(measure)")
    }
  }

  @Test func theCommandNamesTheStyles() throws {
    let folder = try TemporaryFolder()
    func generate(_ arguments: String...) throws -> LegatoProcess.Result {
      try LegatoProcess.run(
        ["generate", "--model", Self.path, "--duration", "0.5", "--output", "a.wav"] + arguments,
        in: folder.url)
    }
    let unknown = try generate("--style", "tuba")
    #expect(unknown.status == 1)
    #expect(
      unknown.error.contains(
        "no style 'tuba'; choose one of cello, flute, guitar, piano, strings, vibraphone"))
    #expect(folder.contents.isEmpty)
    for (arguments, style) in [
      (["--style", "cello", "--seed", "4"], "cello"), (["--seed", "1"], "flute"), (["--style", "none"], nil),
    ] as [([String], String?)] {
      let result = try LegatoProcess.run(
        ["generate", "--model", Self.path, "--duration", "0.5", "--output", "a.wav", "--json"] + arguments,
        in: folder.url)
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(result.text.utf8)) as? [String: Any])
      #expect((report["settings"] as? [String: Any])?["style"] as? String == style)
    }
    let bare = try TemporaryFolder()
    try TinyPackage.write(to: bare.path("tiny"))
    let none = try LegatoProcess.run(
      ["generate", "--model", "tiny", "--style", "cello", "--output", "a.wav"], in: bare.url)
    #expect(none.status == 1 && none.error.contains("it has none: leave --style out"), "\(none.error)")
  }
}
