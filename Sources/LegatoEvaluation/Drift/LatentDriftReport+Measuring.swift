/// Real latents, as rollouts are compared with them: measured once for any number of reports.
public struct LatentDriftReference: Sendable {
  let dimension: Int
  let projection: PrincipalComponents?
  let measured: FrechetDistance.Reference
  /// Statistics before projection.
  let raw: GaussianStatistics
  /// Real latents for the floors.
  let floors: [LatentSequence]

  /// - Parameters:
  ///   - real: real latents, as many as there are.
  ///   - heldOut: other real latents for the floors; without them the same are used, a little too low.
  ///   - components: principal components to compare; nil for all dimensions.
  /// - Throws: ``EvaluationError`` where dimensions differ or there are too few latents.
  public init(_ real: [LatentSequence], heldOut: [LatentSequence] = [], components: Int? = 16) throws {
    guard let dimension = real.first?.dimension else {
      throw EvaluationError("drift needs real latents and at least one rollout; give both")
    }
    guard (components ?? 1) > 0 else {
      throw EvaluationError("\(components ?? 0) principal components; choose at least 1")
    }
    self.dimension = dimension
    floors = heldOut.isEmpty ? real : heldOut
    for sequence in real + heldOut { try Self.check(sequence, dimension) }
    raw = real.reduce(into: GaussianStatistics(dimension: dimension)) {
      $0.merge($1.statistics(0..<$1.frames))
    }
    guard raw.count > 1 else {
      throw EvaluationError("the reference holds \(raw.count) latents; give more real music")
    }
    let raw = raw
    projection = components.flatMap {
      $0 < dimension ? PrincipalComponents(fittedOn: raw, components: $0) : nil
    }
    measured = .init(projection?.project(raw) ?? raw)
  }

  static func check(_ sequence: LatentSequence, _ dimension: Int) throws {
    guard sequence.dimension == dimension else {
      throw EvaluationError(
        "\(sequence.name) has latents of \(sequence.dimension) dimensions and the reference has \(dimension); they must come from one codec"
      )
    }
  }
}

extension LatentDriftReport {
  /// Compares rollouts with real latents.
  ///
  /// - Parameter rollouts: generations, each from its start; they may differ in length.
  /// - Throws: ``EvaluationError`` where dimensions differ or there are too few latents.
  public init(
    reference: LatentDriftReference, rollouts: [LatentSequence], frameRate: Double, binSeconds: Double = 10
  ) throws {
    guard !rollouts.isEmpty else {
      throw EvaluationError("drift needs real latents and at least one rollout; give both")
    }
    for rollout in rollouts { try LatentDriftReference.check(rollout, reference.dimension) }
    guard binSeconds.isFinite, frameRate.isFinite, binSeconds * frameRate >= 2, binSeconds * frameRate < 1e9
    else {
      throw EvaluationError(
        "a bin of \(binSeconds) s at \(frameRate) latents a second holds no two latents; choose longer bins")
    }
    for rollout in rollouts where !rollout.values.allSatisfy(\.isFinite) {
      throw EvaluationError(
        "\(rollout.name) contains NaN or infinite latents; the generation failed and cannot be measured")
    }
    let measure = Measure(
      projection: reference.projection, reference: reference.measured, raw: reference.raw)
    let framesPerBin = Int((binSeconds * frameRate).rounded())
    let longest = rollouts.map(\.frames).max() ?? 0

    self.binSeconds = binSeconds
    self.frameRate = frameRate
    dimension = reference.dimension
    components = reference.projection?.components
    explainedVariance = reference.projection?.explained ?? 1
    referenceFrames = reference.raw.count
    self.rollouts = rollouts.map(\.name)
    bins = stride(from: 0, to: longest, by: framesPerBin).compactMap { first in
      measure.bin(first..<first + framesPerBin, of: rollouts, frameRate: frameRate)
    }
    guard !bins.isEmpty else {
      throw EvaluationError("the rollouts hold no two latents; generate longer ones")
    }
    (rolloutFloor, pooledFloor) = measure.floors(
      reference.floors, framesPerBin: framesPerBin, rollouts: rollouts.count)
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
