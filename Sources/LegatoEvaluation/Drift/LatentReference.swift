import LegatoNN

/// Real latents, as generated ones are compared with them.
public struct LatentReference: Sendable {
  let projection: PrincipalComponents
  let set: ReferenceSet
  public let sequences: Int
  public var dimension: Int { projection.dimension }
  public var components: Int { projection.components }
  public var explained: Double { projection.explained }

  /// - Parameter real: latents of real recordings that training has not seen.
  /// - Throws: ``EvaluationError`` where dimensions differ or there are too few latents.
  public init(_ real: [LatentSequence], components: Int = 16) throws {
    guard let dimension = real.first?.dimension else {
      throw EvaluationError("there are no real latents to compare with; prepare some recordings")
    }
    var total = GaussianStatistics(dimension: dimension)
    for sequence in real {
      guard sequence.dimension == dimension else {
        throw EvaluationError(
          "\(sequence.name) has latents of \(sequence.dimension) dimensions and others have \(dimension); they must "
            + "come from one codec")
      }
      total.merge(sequence.statistics(0..<sequence.frames))
    }
    let projection = PrincipalComponents(fittedOn: total, components: components)
    self.projection = projection
    set = try ReferenceSet(
      real.map { projection.project(rows: $0.values) }, dimension: projection.components)
    sequences = real.count
  }

  /// What so many real recordings reach against the others.
  public func floor(units: Int) -> DistanceFloor? { set.floor(units: units) }

  /// Rows of each of some sequences, checked.
  func rows(_ sequences: [LatentSequence]) throws -> [[Float]] {
    try sequences.map { sequence in
      guard sequence.dimension == dimension else {
        throw EvaluationError(
          "\(sequence.name) has latents of \(sequence.dimension) dimensions and the reference has \(dimension); they "
            + "must come from one codec")
      }
      guard sequence.values.allSatisfy(\.isFinite) else {
        throw EvaluationError(
          "\(sequence.name) contains NaN or infinite latents; the generation failed and cannot be measured")
      }
      return projection.project(rows: sequence.values)
    }
  }
}
