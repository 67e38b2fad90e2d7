import Foundation
import LegatoAudio
import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoCLI
@testable import LegatoEvaluation

/// `legato evaluate clap` with a file of the published layout, whose weights are random.
@Suite struct EvaluateCLAPTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func scores(_ arguments: String...) throws -> [String: Any] {
    let result = try LegatoProcess.run(
      ["evaluate", "clap"] + arguments
        + ["--weights", "clap.safetensors", "--vocabulary", "vocabulary", "--json"], in: folder.url)
    try #require(result.status == 0, "\(result.error)")
    return try #require(try JSONSerialization.jsonObject(with: result.output) as? [String: Any])
  }

  /// Both towers under the published names: 612 MB.
  private func writeWeights() throws {
    let (audio, text) = (RecordedWeights(), RecordedWeights())
    _ = try CLAPAudio(.tiny, weights: audio, digest: nil, on: CPUEngine())
    _ = try CLAPText(weights: text, on: CPUEngine())
    try SafetensorsWriter.write(audio.weights + text.weights, to: folder.path("clap.safetensors"))
  }

  @Test func soundsAreScoredWithTheirCaptionsAndTheOthers() throws {
    try writeWeights()
    let vocabulary = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../LegatoEvaluationTests/Vectors/vocabulary").standardizedFileURL
    try FileManager.default.copyItem(at: vocabulary, to: folder.url.appending(path: "vocabulary"))
    let texts = ["slow music of a cello", "rain"]
    var lines: [String] = []
    for (index, text) in texts.enumerated() {
      let samples =
        index == 0
        ? (0..<144_000).map { 0.3 * sin(Float($0) * 0.03) }
        : RandomStream(seed: 1, stream: 0).normal(144_000).map { 0.1 * $0 }
      try AudioFile.write(
        AudioBuffer(sampleRate: 48_000, channels: [samples]), to: folder.path("\(index).wav"))
      lines.append(#"{"path": "\#(index).wav", "caption": "\#(text)"}"#)
    }
    try Data(lines.joined(separator: "\n").utf8).write(to: folder.url.appending(path: "manifest.jsonl"))

    func values(_ report: [String: Any], _ key: String) throws -> [Double] {
      try #require((report["scores"] as? [[String: Any]])?.compactMap { $0[key] as? Double })
    }
    let own = try scores("manifest.jsonl")
    let (score, others) = (try values(own, "score"), try values(own, "others"))
    try #require(score.count == 2 && others.count == 2)
    #expect((score + others).allSatisfy { abs($0) <= 1 } && score != others)
    let mean = try #require((own["score"] as? [String: Any])?["value"] as? Double)
    #expect(abs(mean - (score[0] + score[1]) / 2) < 1e-12)
    #expect(
      own["weights_sha256"] as? String
        == (try SafetensorsFile(path: folder.path("clap.safetensors")).sha256()))
    // With two texts, what the others score is what the other one does.
    let all = try values(try scores("manifest.jsonl", "--text", texts[1]), "score")
    try #require(all.count == 2)
    #expect(abs(all[0] - all[1]) > 1e-4, "one text fits two sounds alike: \(all)")
    #expect(abs(all[1] - score[1]) < 1e-6 && abs(all[0] - others[0]) < 1e-6)
  }
}

/// Random weights of whatever is asked for, in the order in which it is.
private final class RecordedWeights: WeightSource {
  private let random = RandomWeights(seed: 1)
  private(set) var weights: [Weight] = []

  func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    let weight = try random.weight(named: name, shape: shape, initial: initial)
    weights.append(weight)
    return weight
  }
}
