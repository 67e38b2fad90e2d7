import Foundation
import LegatoAudio
import Testing

@testable import LegatoCLI

@Suite(.serialized) final class CodecTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyPackage.write(to: folder.path("tiny"))
    try AudioFile.write(
      TinyPackage.recording(seconds: 1.23, sampleRate: 48_000, channels: 2), to: folder.path("in.wav"))
  }

  private func legato(_ arguments: String...) throws -> LegatoProcess.Result {
    try LegatoProcess.run(arguments, in: folder.url)
  }

  @Test func thereAndBackKeepsTheLength() throws {
    let encoded = try legato("encode", "in.wav", "--codec", "tiny", "--json")
    #expect(encoded.status == 0, "\(encoded.error)")
    let summary = try #require(try JSONSerialization.jsonObject(with: encoded.output) as? [String: Any])
    #expect(summary["dimension"] as? Int == 16)
    // 1.23 s and the decoder's delay of 30 ms at 25 latents a second.
    #expect(summary["frames"] as? Int == 32)
    let decoded = try legato(
      "decode", "in.safetensors", "--codec", "tiny/codec", "--output", "out.wav", "--picture", "out.png")
    #expect(decoded.status == 0, "\(decoded.error)")
    let sound = try AudioFile.read(folder.path("out.wav"))
    #expect(sound.frameCount == 59_040)
    #expect(sound.channelCount == 2)
    let streamed = try legato(
      "decode", "in.safetensors", "--codec", "tiny", "--output", "-", "--threads", "1")
    try streamed.output.write(to: folder.url.appendingPathComponent("stream.wav"))
    #expect(try AudioFile.read(folder.path("stream.wav")) == sound)
  }

  @Test func latentsOfAnotherCodecAreRefused() throws {
    #expect(try legato("encode", "in.wav", "--codec", "tiny").status == 0)
    try TinyPackage.writeCodec(to: folder.path("other"), seed: 2)
    let result = try legato("decode", "in.safetensors", "--codec", "other", "--output", "out.wav")
    #expect(result.status == 1)
    #expect(result.error.hasPrefix("legato: in.safetensors: the latents were made with the codec"))
    #expect(!folder.contents.contains("out.wav"))
  }
}
