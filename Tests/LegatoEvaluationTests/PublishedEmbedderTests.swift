import Foundation
import LegatoAudio
import LegatoModels
import LegatoTensor
import LegatoTorch
import Testing

@testable import LegatoEvaluation

/// Published embedders against the original code, on weights of a formula and of the published layout.
@Suite(.serialized) struct PublishedEmbedderTests {
  /// Every 16th row of `[rows, 64]`, unless told.
  private func sampled(_ mels: Tensor, every step: Int = 16) -> [Float] {
    let values = mels.floats()
    return stride(from: 0, to: mels.dim(0), by: step).flatMap { values[$0 * 64..<($0 + 1) * 64] }
  }

  @Test func vggishIsTheOriginal() throws {
    let vectors = try Vectors("vggish")
    let weights = FormulaWeights()
    let backend = try TorchBackend()
    let embedder = try VGGish(weights: weights, digest: nil, on: backend)
    #expect(weights.shapes == (try vectors.shapes()))
    let sound = Formula.sound(16_000, seconds: 2.5)
    let frames = sampled(embedder.logMel(sound.channels[0]).slice(axis: 0, 0..<192))
    try vectors.expect(frames, are: "logMel")
    try vectors.expect(try embedder.embed(sound).rows, are: "rows")
    try backend.check()
  }

  @Test func vggishRunsOnTheCPUEngine() throws {
    let vectors = try Vectors("vggish")
    let embedder = try VGGish(weights: FormulaWeights(), digest: nil, on: CPUEngine())
    try vectors.expect(try embedder.embed(Formula.sound(16_000, seconds: 2.5)).rows, are: "rows")
  }

  @Test(arguments: [(Cnn14.Variant.at32kHz, 1.5, 14_000.0), (.at16kHz, 2.5, 8000)])
  func cnn14IsTheOriginal(_ variant: Cnn14.Variant, seconds: Double, high: Double) throws {
    let vectors = try Vectors(variant.embedder.rawValue)
    let (rate, size) = (variant.sampleRate, variant.frontEnd.size)
    let filters = MelFrontEnd.slaneyFilters(bands: 64, size: size, sampleRate: rate, from: 50, to: high)
    let weights = FormulaWeights(given: ["logmel_extractor.melW": filters])
    let backend = try TorchBackend()
    let embedder = try Cnn14(variant, weights: weights, digest: nil, on: backend)
    #expect(weights.shapes == (try vectors.shapes()))
    let sound = Formula.sound(rate, seconds: seconds)
    try vectors.expect(sampled(embedder.logMel(sound.channels[0])), are: "logMel")
    let embedded = try embedder.embed(sound)
    try vectors.expect(embedded.rows, are: "rows")
    try vectors.expect(embedded.logits, are: "logits")
    let long = AudioBuffer(sampleRate: 10, channels: [[Float](repeating: 0, count: 3001)])
    #expect(throws: EvaluationError.self) { try embedder.embed(long) }
    try backend.check()
  }

  @Test func clapIsTheOriginal() throws {
    let vectors = try Vectors("clap")
    let weights = FormulaWeights()
    let backend = try TorchBackend()
    let embedder = try CLAPAudio(.tiny, weights: weights, digest: nil, on: backend)
    #expect(weights.shapes == (try vectors.shapes()))
    let mels = embedder.logMel(Formula.sound(48_000, seconds: 10).channels[0])
    try vectors.expect(sampled(mels, every: 64), are: "logMel")
    try vectors.expect(embedder.embed(mels.reshape([1, 1001, 64])).floats(), are: "whole")
    // Three windows, of which the last one begins 0.2 s before the end.
    try vectors.expect(try embedder.embed(Formula.sound(48_000, seconds: 2.2)).rows, are: "rows")
    try backend.check()

    let base = FormulaWeights()
    let larger = try CLAPAudio(.base, weights: base, digest: nil, on: backend)
    #expect(base.shapes == (try vectors.shapes("baseShapes")))
    try vectors.expect(larger.embed(mels.reshape([1, 1001, 64])).floats(), are: "baseWhole")
    try backend.check()
  }

  @Test func loadsWhatAFileHolds() throws {
    let folder = try ScratchFolder()
    let weights = FormulaWeights()
    let backend = try TorchBackend()
    let given = try CLAPAudio(.tiny, weights: weights, digest: nil, on: backend)
    let path = folder.path("clap.safetensors")
    try SafetensorsWriter.write(weights.weights, to: path)
    let loaded = try PublishedEmbedder.clap.load(path, on: backend)
    #expect(loaded.details.weights == (try SafetensorsFile(path: path).sha256()))
    let sound = Formula.sound(44_100, seconds: 0.5)
    let stereo = AudioBuffer(
      sampleRate: 44_100, channels: [sound.channels[0], sound.channels[0].map { -0.5 * $0 }])
    #expect(try loaded.embed(stereo).rows == (try given.embed(stereo)).rows)
    try backend.check()
  }

  @Test func soundOfAnyLengthIsCutIntoPatches() throws {
    let backend = try TorchBackend()
    let embedder = try VGGish(weights: FormulaWeights(), digest: nil, on: backend)
    #expect(try embedder.embed(Formula.sound(16_000, seconds: 0.001)).rows.count == 128)
    // 0.96 s of patch, and the 15 ms by which its last window hangs over.
    #expect(try embedder.embed(Formula.sound(16_000, seconds: 1.934)).rows.count == 128)
    #expect(try embedder.embed(Formula.sound(16_000, seconds: 1.935)).rows.count == 256)
    // More patches than go through the network at once.
    let long = Formula.sound(16_000, seconds: 17.5)
    let rows = try embedder.embed(long).rows
    let last = try embedder.embed(long.slice(frames: 17 * 15_360..<280_000)).rows
    #expect(rows.count == 18 * 128)
    #expect(zip(rows.suffix(128), last).allSatisfy { abs($0 - $1) < 1e-3 })
    for bad in [
      AudioBuffer(sampleRate: 16_000, channels: [[]]), .init(sampleRate: 16_000, channels: [[0, .nan]]),
    ] {
      #expect(throws: EvaluationError.self) { try embedder.embed(bad) }
    }
    try backend.check()
  }

  struct BadFile: Sendable, CustomTestStringConvertible {
    var asked: PublishedEmbedder
    var tensors: [String: [Int]]
    /// What the message must say.
    var says: [String]
    var testDescription: String { says.joined(separator: ", ") }
  }

  @Test(arguments: [
    BadFile(
      asked: .vggish, tensors: ["encoder.weight": [2, 2]], says: ["'encoder.weight'", "nor of any other"]),
    BadFile(
      asked: .cnn14, tensors: ["features.0.weight": [64, 1, 3, 3], "embeddings.0.weight": [2, 2]],
      says: ["weights of VGGish, not of cnn14", "Ask for vggish"]),
    BadFile(
      asked: .vggish, tensors: ["features.0.weight": [64, 1, 3, 3], "embeddings.0.weight": [2, 2]],
      says: ["'features.0.bias' is missing"]),
    BadFile(
      asked: .vggish,
      tensors: [
        "features.0.weight": [64, 1, 3, 3], "features.0.bias": [63], "embeddings.0.weight": [2, 2],
      ], says: ["'features.0.bias' has shape [63]", "[64]"]),
    BadFile(
      asked: .cnn14,
      tensors: [
        "conv_block1.x": [1], "conv_block6.x": [1], "fc_audioset.weight": [527, 2048],
        "logmel_extractor.melW": [257, 64],
      ], says: ["Cnn14 at 16 kHz, not of cnn14", "Ask for cnn14-16k"]),
    BadFile(
      asked: .cnn14,
      tensors: [
        "conv_block1.x": [1], "conv_block6.x": [1], "fc_audioset.weight": [527, 2048],
        "logmel_extractor.melW": [129, 64],
      ], says: ["Cnn14 at 8 kHz, not of cnn14"]),
    BadFile(
      asked: .cnn14, tensors: ["conv_block1.x": [1], "fc_audioset.weight": [527, 512]],
      says: ["another of the PANNs, not of cnn14"]),
    BadFile(
      asked: .clap, tensors: ["module.audio_branch.bn0.weight": [64]],
      says: ["names of its own checkpoints", "Scripts/convert-metric-weights.py"]),
    BadFile(
      asked: .clap,
      tensors: [
        "audio_model.audio_encoder.patch_embed.proj.weight": [96, 1, 4, 4],
        "audio_model.audio_encoder.patch_embed.fusion_model.x": [1],
      ], says: ["HTSAT-tiny and feature fusion, not of clap"]),
  ])
  func refusesOtherWeights(_ bad: BadFile) throws {
    let folder = try ScratchFolder()
    let path = folder.path("weights.safetensors")
    let weights = bad.tensors.sorted { $0.key < $1.key }.map {
      Weight(name: $0, shape: $1, values: [Float](repeating: 0, count: $1.reduce(1, *)))
    }
    try SafetensorsWriter.write(weights, to: path)
    let message = try refusal(bad.asked, path)
    for part in bad.says + [path] { #expect(message.contains(part), "\(message)") }
  }

  @Test func refusesWhatIsNoSafetensorsFile() throws {
    let folder = try ScratchFolder()
    let path = folder.path("Cnn14_mAP=0.431.pth")
    try Data("PK\u{3}\u{4}".utf8 + [UInt8](repeating: 1, count: 100)).write(to: URL(fileURLWithPath: path))
    #expect(try refusal(.cnn14, path).contains("Scripts/convert-metric-weights.py"))
    #expect(try refusal(.cnn14, folder.path("missing")).contains("missing"))
  }

  private func refusal(_ embedder: PublishedEmbedder, _ path: String) throws -> String {
    do {
      _ = try embedder.load(path, on: CPUEngine(threads: 1))
      Issue.record("\(path) was taken for \(embedder.rawValue)")
      return ""
    } catch let error as EvaluationError {
      return error.description
    }
  }
}

extension PublishedEmbedderTests {
  /// A folder that is gone with its object.
  final class ScratchFolder {
    private let url: URL

    init() throws {
      url = FileManager.default.temporaryDirectory.appendingPathComponent("legato-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    deinit { try? FileManager.default.removeItem(at: url) }
  }
}
