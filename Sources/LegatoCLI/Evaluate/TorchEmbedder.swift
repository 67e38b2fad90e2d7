import LegatoAudio
import LegatoEvaluation
import LegatoTorch

/// A published embedder on libtorch, on the first GPU where there is one: what libtorch could not do is an error, and not a row of zeros.
final class TorchEmbedder: AudioEmbedder {
  var details: EmbedderDetails { network.details }
  private let network: any AudioEmbedder
  private let backend: TorchBackend

  /// Throws ``TorchError`` where libtorch is missing, ``EvaluationError`` for weights that are not the embedder's.
  init(_ embedder: PublishedEmbedder, weights: String) throws {
    backend = try TorchBackend(device: .automatic())
    network = try embedder.load(weights, on: backend)
    try backend.check()
  }

  func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    let embedded = try backend.withoutGradients { try network.embed(sound) }
    try backend.check()
    return embedded
  }
}
