import LegatoEvaluation

extension LatentReference {
  /// Latents of all pieces that were prepared. Throws ``LatentError`` and ``EvaluationError``.
  package init(_ data: LatentDataset) throws {
    try self.init(data.index.pieces.map(data.sequence), components: min(16, data.dimension))
  }
}

extension LatentDataset {
  /// All latents of a piece. Throws ``LatentError``.
  func sequence(of piece: LatentPiece) throws -> LatentSequence {
    LatentSequence(name: piece.id, dimension: dimension, values: try latents(of: piece))
  }
}
