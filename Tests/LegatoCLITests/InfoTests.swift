import Foundation
import LegatoAudio
import LegatoModels
import Testing

@testable import LegatoCLI

@Suite(.serialized) final class InfoTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyPackage.write(to: folder.path("tiny"))
  }

  private func info(_ path: String) throws -> (text: String, json: [String: Any]) {
    let text = try LegatoProcess.run(["info", path], in: folder.url)
    let json = try LegatoProcess.run(["info", path, "--json"], in: folder.url)
    #expect(text.status == 0 && json.status == 0, "\(text.error)")
    return (text.text, try #require(try JSONSerialization.jsonObject(with: json.output) as? [String: Any]))
  }

  @Test func modelPackage() throws {
    let (text, json) = try info("tiny")
    #expect(json["kind"] as? String == "model package")
    #expect(json["licence"] as? String == "CC0-1.0")
    #expect((json["parameters"] as? Int ?? 0) > 10_000)
    #expect((json["codec"] as? [String: Any])?["sample_rate"] as? Int == 48_000)
    #expect((json["training"] as? [String: Any])?["data"] as? String == "none: random weights")
    for part in [
      "tiny-noise", "CC0-1.0", "tiny-codec", "25 latents a second", "none: random weights", "README.md",
    ] {
      #expect(text.contains(part), "no '\(part)' in:\n\(text)")
    }
  }

  @Test func codecPackage() throws {
    let (text, json) = try info("tiny/codec")
    #expect(json["kind"] as? String == "codec package")
    #expect(json["delay_ms"] as? Double == 30)
    #expect(text.contains("stereo"))
  }

  /// The one that ships.
  @Test func classifierPackage() throws {
    let path = try #require(PackageLocation.upward(from: #filePath, to: NoteClassifierPackage.shipped))
    #expect(try PackageLocation.findClassifier().hasSuffix(NoteClassifierPackage.shipped))
    let (text, json) = try info(path)
    #expect(json["kind"] as? String == "classifier package")
    #expect((json["weight_bytes"] as? Int ?? .max) <= 2_000_000)
    let heldOut = try #require(json["held_out_instruments"] as? [String: Any])
    #expect((heldOut["windows"] as? Int ?? 0) > 100)
    for part in ["held out pieces", "of pieces", "keys F1", "steps in"] {
      #expect(text.contains(part), "no '\(part)' in:\n\(text)")
    }
    #expect((json["instruments"] as? [String])?.contains("violin") == true)
  }

  @Test func soundFileAndTensors() throws {
    try AudioFile.write(TinyPackage.recording(seconds: 0.5), to: folder.path("a.wav"))
    #expect(try info("a.wav").json["sample_rate"] as? Int == 44_100)
    let tensors = try info("tiny/model.safetensors")
    #expect(tensors.json["kind"] as? String == "safetensors file")
    #expect(tensors.text.contains("start"))
  }

  @Test func unknownThings() throws {
    for (path, part) in [("nowhere", "no such file or folder"), (".", "nothing that Legato knows")] {
      let result = try LegatoProcess.run(["info", path], in: folder.url)
      #expect(result.status == 1)
      #expect(result.message.contains(part), "\(result.message)")
    }
  }
}
