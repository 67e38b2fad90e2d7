extension LatentDriftReport {
  /// Compares rollouts with real latents.
  ///
  /// - Parameters:
  ///   - reference: real latents, as many as there are.
  ///   - heldOut: other real latents for the floors; without them the reference's own are used, a little too low.
  ///   - rollouts: generations, each from its start; they may differ in length.
  ///   - components: principal components of the reference to compare; nil for all dimensions.
  /// - Throws: ``EvaluationError`` where dimensions differ or there are too few latents.
  public init(
    reference: [LatentSequence], heldOut: [LatentSequence] = [], rollouts: [LatentSequence],
    frameRate: Double,
    binSeconds: Double = 10, components: Int? = 16
  ) throws {
    guard let dimension = reference.first?.dimension, !rollouts.isEmpty else {
      throw EvaluationError("drift needs real latents and at least one rollout; give both")
    }
    for sequence in reference + heldOut + rollouts where sequence.dimension != dimension {
      throw EvaluationError(
        "\(sequence.name) has latents of \(sequence.dimension) dimensions and the reference has \(dimension); they must come from one codec"
      )
    }
    guard binSeconds.isFinite, frameRate.isFinite, binSeconds * frameRate >= 2, binSeconds * frameRate < 1e9
    else {
      throw EvaluationError(
        "a bin of \(binSeconds) s at \(frameRate) latents a second holds no two latents; choose longer bins")
    }
    guard (components ?? 1) > 0 else {
      throw EvaluationError("\(components ?? 0) principal components; choose at least 1")
    }
    for rollout in rollouts where !rollout.values.allSatisfy(\.isFinite) {
      throw EvaluationError(
        "\(rollout.name) contains NaN or infinite latents; the generation failed and cannot be measured")
    }
    let real = reference.reduce(into: GaussianStatistics(dimension: dimension)) {
      $0.merge($1.statistics(0..<$1.frames))
    }
    guard real.count > 1 else {
      throw EvaluationError("the reference holds \(real.count) latents; give more real music")
    }

    let projection = components.flatMap {
      $0 < dimension ? PrincipalComponents(fittedOn: real, components: $0) : nil
    }
    let measure = Measure(
      projection: projection, reference: .init(projection?.project(real) ?? real), raw: real)
    let framesPerBin = Int((binSeconds * frameRate).rounded())
    let longest = rollouts.map(\.frames).max() ?? 0

    self.binSeconds = binSeconds
    self.frameRate = frameRate
    self.dimension = dimension
    self.components = projection?.components
    explainedVariance = projection?.explained ?? 1
    referenceFrames = real.count
    self.rollouts = rollouts.map(\.name)
    bins = stride(from: 0, to: longest, by: framesPerBin).compactMap { first in
      measure.bin(first..<first + framesPerBin, of: rollouts, frameRate: frameRate)
    }
    guard !bins.isEmpty else {
      throw EvaluationError("the rollouts hold no two latents; generate longer ones")
    }
    (rolloutFloor, pooledFloor) = measure.floors(
      heldOut.isEmpty ? reference : heldOut, framesPerBin: framesPerBin, rollouts: rollouts.count)
    warnings = Array(Set(bins.compactMap(\.distance.warning))).sorted()
  }

  private struct Measure {
    let projection: PrincipalComponents?
    let reference: FrechetDistance.Reference
    /// Statistics of the reference before projection.
    let raw: GaussianStatistics

    func distance(_ statistics: GaussianStatistics) -> FrechetDistance {
      FrechetDistance(reference: reference, projection?.project(statistics) ?? statistics)
    }

    func bin(_ range: Range<Int>, of rollouts: [LatentSequence], frameRate: Double) -> Bin? {
      var pooled = GaussianStatistics(dimension: raw.dimension)
      var single: [Double?] = []
      for rollout in rollouts {
        let part = range.clamped(to: 0..<rollout.frames)
        let statistics = rollout.statistics(part)
        pooled.merge(statistics)
        single.append(part.count == range.count ? distance(statistics).value : nil)
      }
      guard pooled.count > 1 else { return nil }
      let (variance, real) = (pooled.variance.reduce(0, +), raw.variance.reduce(0, +))
      let shift = zip(pooled.mean, raw.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let end = min(range.upperBound, rollouts.map(\.frames).max() ?? 0)
      return Bin(
        start: Double(range.lowerBound) / frameRate, end: Double(end) / frameRate, frames: pooled.count,
        distance: distance(pooled), rolloutDistances: single,
        deviationRatio: real > 0 ? (variance / real).squareRoot() : 1, meanShift: shift.squareRoot())
    }

    /// Real music cut into pieces of a bin's length, singly and as many together as there are rollouts.
    func floors(_ real: [LatentSequence], framesPerBin: Int, rollouts: Int) -> (Double?, Double?) {
      var parts: [GaussianStatistics] = []
      for sequence in real {
        for first in stride(from: 0, through: sequence.frames - framesPerBin, by: framesPerBin) {
          parts.append(sequence.statistics(first..<first + framesPerBin))
        }
      }
      // A hundred measurements fix a mean well enough.
      let singles = Self.spread(parts, 100).map { distance($0).value }
      let together = Self.spread(parts, rollouts).reduce(into: GaussianStatistics(dimension: raw.dimension)) {
        $0.merge($1)
      }
      return (
        Bin.mean(singles), parts.count >= rollouts && together.count > 1 ? distance(together).value : nil
      )
    }

    private static func spread<Element>(_ items: [Element], _ count: Int) -> [Element] {
      let kept = min(items.count, count)
      return (0..<kept).map { items[$0 * items.count / kept] }
    }
  }
}
