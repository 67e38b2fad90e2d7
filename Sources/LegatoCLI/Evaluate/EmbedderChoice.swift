import ArgumentParser
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// What turns sounds into the vectors that are compared: a case and a line in ``prepared(for:weights:threads:)`` each.
enum EmbedderChoice: String, CaseIterable, Sendable, ExpressibleByArgument {
  /// Log-mel patches on principal components of the reference.
  case patches
  /// Latents of a codec.
  case latents
  /// Legato's own classifier of instruments and keys.
  case classifier
  case vggish, cnn14
  case cnn14At16kHz = "cnn14-16k"
  case clap

  /// - Parameters:
  ///   - reference: what an embedder without weights is fitted on.
  ///   - weights: a file or folder that a person named; nil where nothing was.
  func prepared(for reference: SoundFiles, weights: String?, threads: Int, style: ProgressStyle) throws
    -> PreparedEmbedder
  {
    switch self {
    case .patches:
      guard weights == nil else {
        throw ValidationError("--weights patches=...: patches have no weights; leave it out")
      }
      let frames = try reference.map(threads: threads, label: "fit patches", style: style) { sound, _ in
        try PatchEmbedder.frames(of: sound, engine: CPUEngine(threads: 1))
      }
      let embedding: PatchEmbedding
      do {
        embedding = try PatchEmbedding(fittedOn: frames)
      } catch let error as EvaluationError {
        throw CommandError("\(reference.source): \(error)")
      }
      return PreparedEmbedder(workers: threads) { PatchEmbedder(embedding, engine: CPUEngine(threads: 1)) }
    case .latents:
      let package = try CodecPackage(path: PackageLocation.findCodec(weights))
      let digest = try package.sha256()
      return PreparedEmbedder(workers: threads) {
        LatentEmbedder(package, digest: digest, engine: CPUEngine(threads: 1))
      }
    case .classifier:
      let package = try NoteClassifierPackage(path: weights ?? PackageLocation.findClassifier())
      return PreparedEmbedder(workers: threads) { ClassifierEmbedder(package, engine: CPUEngine(threads: 1)) }
    case .vggish: return try published(.vggish, weights)
    case .cnn14: return try published(.cnn14, weights)
    case .cnn14At16kHz: return try published(.cnn14At16kHz, weights)
    case .clap: return try published(.clap, weights)
    }
  }
}

extension EmbedderChoice {
  private func published(_ embedder: PublishedEmbedder, _ weights: String?) throws -> PreparedEmbedder {
    guard let weights else {
      throw CommandError(
        "--embedder \(rawValue) needs its published weights: --weights \(rawValue)=FILE.safetensors, as "
          + "Scripts/convert-metric-weights.py makes it")
    }
    // libtorch uses all cores by itself.
    return PreparedEmbedder(workers: 1) { try TorchEmbedder(embedder, weights: weights) }
  }
}

/// An embedder that several threads may have one of each.
struct PreparedEmbedder: Sendable {
  /// How many may work at once: 1 for those that use all cores, or a graphics processor, themselves.
  var workers: Int
  /// Called once a thread and set of sounds.
  var make: @Sendable () throws -> any AudioEmbedder

  /// Sounds of a set in this embedding.
  func embedded(_ files: SoundFiles, name: String, style: ProgressStyle) throws -> EmbeddedSet {
    let pieces = try files.map(
      threads: workers, label: "\(name): \(files.label)", style: style, tool: make
    ) { sound, name, embedder in
      (
        details: embedder.details,
        piece: try EmbeddedSet.Piece(name: name, sound: sound, embedder: embedder)
      )
    }
    guard let details = pieces.first?.details else {
      throw CommandError("\(files.source): there are no sounds in it")
    }
    return try EmbeddedSet(name: files.label, details: details, pieces: pieces.map(\.piece))
  }
}
