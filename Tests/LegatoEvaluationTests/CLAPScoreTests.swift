import Foundation
import LegatoAudio
import LegatoTensor
import LegatoTorch
import Testing

@testable import LegatoEvaluation

// Within the other suite, so that no two large networks are in memory at once.
extension PublishedEmbedderTests {
  /// Texts against the original code, with a small vocabulary and weights of a formula.
  @Suite struct CLAPScoreTests {
    private struct Encoded: Decodable {
      var text: String
      var tokens: [Int32]
    }

    private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Vectors")

    private func encoded() throws -> [Encoded] {
      try JSONDecoder().decode(
        [Encoded].self, from: Data(contentsOf: folder.appendingPathComponent("tokens.json")))
    }

    private func tokenizer() throws -> ByteLevelTokenizer {
      try ByteLevelTokenizer(folder: folder.appendingPathComponent("vocabulary").path)
    }

    @Test func tokensAreRobertas() throws {
      let tokenizer = try tokenizer()
      for example in try encoded() {
        #expect(tokenizer.tokens(example.text, most: 77) == example.tokens, "\(example.text)")
      }
    }

    @Test func textAndScoreAreTheOriginals() throws {
      let vectors = try Vectors("clap-text")
      let weights = FormulaWeights()
      do {
        let backend = try TorchBackend()
        let text = try CLAPText(weights: weights, on: backend)
        #expect(weights.shapes == (try vectors.shapes()))
        let tokens = try vectors.floats("tokens").map { Int32($0) }
        try vectors.expect(text.embed(tokens), are: "row")
        try backend.check()
      }
      // The CPU engine computes with the weights where they are, so that they are in memory once.
      let text = try CLAPText(weights: NamedWeights(weights.weights, origin: "formula"), on: CPUEngine())
      let backend = try TorchBackend()
      let audio = try CLAPAudio(.tiny, weights: FormulaWeights(), digest: nil, on: backend)
      let score = CLAPScore(audio: audio, text: text, tokenizer: try tokenizer())
      let words = try #require(try encoded().first).text
      // 3.3 s are repeated to 9.9 s.
      let value = try score(words, Formula.sound(48_000, seconds: 3.3))
      #expect(abs(Float(value) - (try vectors.floats("score"))[0]) < 1e-5)
      // Of 11.5 s, two windows of 10 s lie within the sound.
      #expect(try audio.embedFilled(Formula.sound(48_000, seconds: 11.5)).count == 2 * 512)
      try backend.check()
    }

    @Test func reportsTellOwnTextsFromOthers() throws {
      func unit(_ index: Int, _ value: Float = 1) -> [Float] {
        var vector = [Float](repeating: 0, count: CLAPScore.dimension)
        vector[index] = value
        return vector
      }
      let texts = ["a": unit(0), "b": unit(1), "c": unit(2)]
      let report = CLAPReport(
        [
          .init(sound: "1.wav", text: "a", vector: unit(0, 0.5)),
          .init(sound: "2.wav", text: "b", vector: unit(2, 0.25)),
        ], texts: texts, weights: "0")
      #expect(report.scores.map(\.score) == [0.5, 0] && report.scores.map(\.others) == [0, 0.125])
      #expect(report.score?.value == 0.25 && report.others?.value == 0.0625)
      let alone = CLAPReport(
        [.init(sound: "1.wav", text: "a", vector: unit(0))], texts: ["a": unit(0)], weights: "0")
      #expect(alone.others == nil && alone.warnings.count == 1 && alone.score?.low == nil)
    }

    @Test func refusesAVocabularyThatIsNone() throws {
      let scratch = try ScratchFolder()
      func message() throws -> String {
        do {
          _ = try ByteLevelTokenizer(folder: scratch.path("."))
          Issue.record("a vocabulary was read")
          return ""
        } catch let error as EvaluationError { return error.description }
      }
      func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.path(name)))
      }
      #expect(try message().contains("vocab.json: the file is missing"))
      try write("vocab.json", "[1, 2]")
      #expect(try message().contains("no table of tokens"))
      try write("vocab.json", "{\"<s>\": 0}")
      #expect(try message().contains("'</s>' is missing"))
      let whole = try Data(contentsOf: folder.appendingPathComponent("vocabulary/vocab.json"))
      try whole.write(to: URL(fileURLWithPath: scratch.path("vocab.json")))
      #expect(try message().contains("merges.txt: the file is missing"))
      try write("merges.txt", "#version: 0.2\na b c\n")
      #expect(try message().contains("'a b c' is no pair"))
      try write("merges.txt", "#version: 0.2\nzz qq\n")
      #expect(try message().contains("'zz' is missing"))
    }
  }
}
