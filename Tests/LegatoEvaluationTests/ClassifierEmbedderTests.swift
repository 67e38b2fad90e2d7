import Foundation
import LegatoAudio
import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoEvaluation

/// The classifier that ships, as an embedder.
@Suite struct ClassifierEmbedderTests {
  private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent(NoteClassifierPackage.shipped).path

  private static func embedder(threads: Int = 1) throws -> ClassifierEmbedder {
    ClassifierEmbedder(try NoteClassifierPackage(path: path), engine: CPUEngine(threads: threads))
  }

  /// Decaying tones of five harmonics, two a second.
  private static func notes(seconds: Double, level: Float = 0.2, rate: Int = 48_000) -> AudioBuffer {
    let samples = (0..<Int(seconds * Double(rate))).map { index -> Float in
      let time = Double(index) / Double(rate)
      let (note, within) = (Int(time * 2), (time * 2).truncatingRemainder(dividingBy: 1))
      let frequency = 220 * pow(2, Double(note * 5 % 12) / 12)
      let tone = (1...5).reduce(0.0) { $0 + sin(2 * .pi * frequency * Double($1) * time) / Double($1 * $1) }
      return level * Float(tone * exp(-4 * within))
    }
    return AudioBuffer(sampleRate: rate, channels: [samples])
  }

  @Test func aRowASecond() throws {
    let embedder = try Self.embedder()
    let details = embedder.details
    #expect(details.window == 1 && details.hop == 1 && details.weights?.count == 64)
    let size = try FileManager.default.attributesOfItem(atPath: Self.path + "/classifier.safetensors")[.size]
    #expect((size as? Int ?? .max) <= 2_000_000)
    for (seconds, rows) in [(0.2, 1), (1.4, 1), (1.6, 2), (18, 18)] {
      let embedded = try embedder.embed(Self.notes(seconds: seconds))
      #expect(embedded.rows.count == rows * details.dimension, "\(seconds) s")
      #expect(embedded.logits.count == details.classes.count)
      #expect((embedded.rows + embedded.logits).allSatisfy { $0.isFinite })
    }
  }

  @Test func theSameBytesEveryTime() throws {
    let sound = Self.notes(seconds: 18)
    let (one, two) = (try Self.embedder().embed(sound), try Self.embedder(threads: 2).embed(sound))
    #expect(one.rows == two.rows && one.logits == two.logits)
    // A window knows nothing of the others.
    let last = AudioBuffer(sampleRate: 48_000, channels: [Array(sound.channels[0].suffix(48_000))])
    #expect(try Self.embedder().embed(last).rows == Array(one.rows.suffix(one.rows.count / 18)))
  }

  @Test func neitherLevelNorChannelsNorRateMatter() throws {
    let embedder = try Self.embedder()
    let rows = try embedder.embed(Self.notes(seconds: 4)).rows
    func distance(_ sound: AudioBuffer) throws -> Float {
      let difference = zip(try embedder.embed(sound).rows, rows).reduce(Float(0)) {
        $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
      }
      return (difference / rows.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }
    #expect(try distance(Self.notes(seconds: 4, level: 0.01)) < 1e-3)
    let mono = Self.notes(seconds: 4)
    #expect(try distance(AudioBuffer(sampleRate: 48_000, channels: mono.channels + mono.channels)) < 1e-5)
    #expect(try distance(Self.notes(seconds: 4, rate: 44_100)) < 0.05)
    // What these tolerances are to be compared with: other music.
    let other = AudioBuffer(sampleRate: 48_000, channels: [Self.notes(seconds: 4).channels[0].reversed()])
    #expect(try distance(other) > 0.2)
  }

  @Test func whatCannotBeEmbeddedIsSaid() throws {
    let embedder = try Self.embedder()
    func says(_ words: String, _ channels: [[Float]]) {
      #expect {
        _ = try embedder.embed(AudioBuffer(sampleRate: 48_000, channels: channels))
      } throws: { error in
        error is EvaluationError && "\(error)".contains(words)
      }
    }
    says("no sound to embed", [[]])
    says("no sound to embed", [])
    says("no numbers", [[0, .nan, 0]])
  }
}
