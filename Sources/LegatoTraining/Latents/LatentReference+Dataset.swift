import LegatoEvaluation

extension LatentReference {
  /// Latents of all pieces that were prepared. Throws ``LatentError`` and ``EvaluationError``.
  package init(_ data: LatentDataset) throws {
    try self.init(
      data.index.pieces.map {
        LatentSequence(name: $0.id, dimension: data.dimension, values: try data.latents(of: $0))
      }, components: min(16, data.dimension))
  }
}
