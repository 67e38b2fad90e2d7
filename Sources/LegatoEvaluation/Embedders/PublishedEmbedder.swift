import LegatoModels
import LegatoTensor

/// Embedders whose weights others have published, under the names by which they are asked for.
public enum PublishedEmbedder: String, CaseIterable, Sendable {
  case vggish
  /// PANNs' Cnn14 at 32 kHz.
  case cnn14
  case cnn14At16kHz = "cnn14-16k"
  /// LAION's CLAP with HTSAT-tiny or HTSAT-base, unfused.
  case clap

  /// The embedder with the weights of a safetensors file, as `Scripts/convert-metric-weights.py` writes it.
  ///
  /// Networks run on libtorch, and on the CPU engine, where two-dimensional convolutions take much more memory. A backend
  /// that keeps its failures (`TorchBackend`) is to be asked for them after each sound.
  ///
  /// - Throws: ``EvaluationError`` where the file cannot be read, or holds another network, a tensor too few or one of
  ///   another shape.
  public func load(_ path: String, on backend: any Backend) throws -> any AudioEmbedder {
    try Self.reading(path) { weights, digest in
      let found = try network(in: weights.file)
      switch self {
      case .vggish: return try VGGish(weights: weights, digest: digest(), on: backend)
      case .cnn14: return try Cnn14(.at32kHz, weights: weights, digest: digest(), on: backend)
      case .cnn14At16kHz: return try Cnn14(.at16kHz, weights: weights, digest: digest(), on: backend)
      case .clap:
        return try CLAPAudio(found.isBase ? .base : .tiny, weights: weights, digest: digest(), on: backend)
      }
    }
  }

  /// Gives weights and what tells their SHA-256 to `body`. Throws ``EvaluationError`` alone.
  static func reading<Result>(_ path: String, _ body: (FileWeights, () -> String) throws -> Result) throws
    -> Result
  {
    do {
      let weights = try FileWeights(path: path)
      return try body(weights) { weights.file.sha256() }
    } catch let error as EvaluationError {
      throw error
    } catch let error as SafetensorsError {
      throw EvaluationError("\(error) \(Self.remedy)")
    } catch {
      throw EvaluationError("\(error)")
    }
  }

  /// What the file holds. Throws ``EvaluationError`` where it is not the weights of this embedder.
  func network(in file: SafetensorsFile) throws -> PublishedNetwork {
    guard let found = PublishedNetwork(file) else {
      let names = file.names.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
      throw EvaluationError(
        "\(file.path): these are not the weights of \(rawValue), nor of any other published embedder; the first "
          + "tensors are \(names.isEmpty ? "missing" : names). \(Self.remedy)")
    }
    guard found.embedder == self else {
      let advice = found.embedder.map { "Ask for \($0.rawValue) instead, or give other weights." }
      throw EvaluationError(
        "\(file.path): these are the weights of \(found.name), not of \(rawValue). \(advice ?? Self.remedy)")
    }
    return found
  }

  private static let remedy =
    "Scripts/convert-metric-weights.py makes the file that is needed from the published weights."
}

/// What a file of weights holds, by the names and shapes of its tensors.
struct PublishedNetwork {
  /// For a person.
  var name: String
  /// nil for networks that Legato does not run.
  var embedder: PublishedEmbedder?
  /// CLAP with HTSAT-base.
  var isBase = false

  /// nil where the file is none of the networks that are known.
  init?(_ file: SafetensorsFile) {
    func shape(_ name: String) -> [Int]? { file.contains(name) ? try? file.entry(name).shape : nil }
    func holds(_ part: String) -> Bool { file.names.contains { $0.contains(part) } }

    if holds("audio_branch.") {
      name = "LAION's CLAP under the names of its own checkpoints"
    } else if let patches = shape("audio_model.audio_encoder.patch_embed.proj.weight") {
      let widths = [96: "HTSAT-tiny", 128: "HTSAT-base"]
      let tower = patches.first.flatMap { widths[$0] }
      let fusion = holds("fusion_model")
      name = "CLAP with \(tower ?? "another audio tower")" + (fusion ? " and feature fusion" : "")
      embedder = tower == nil || fusion ? nil : .clap
      isBase = patches.first == 128
    } else if holds("conv_block1.") {
      // The rates differ in nothing but the mel filters.
      let rates = [513: 32, 257: 16, 129: 8]
      let rate = (shape("logmel_extractor.melW")?.first).flatMap { rates[$0] }
      let isCnn14 = holds("conv_block6.") && shape("fc_audioset.weight") == [527, 2048]
      name =
        isCnn14
        ? "PANNs' Cnn14 at " + (rate.map { "\($0) kHz" } ?? "an unknown rate") : "another of the PANNs"
      embedder = isCnn14 ? [32: .cnn14, 16: .cnn14At16kHz][rate ?? 0] : nil
    } else if shape("features.0.weight")?.first == 64, holds("embeddings.") {
      name = "VGGish"
      embedder = .vggish
    } else {
      return nil
    }
  }
}
