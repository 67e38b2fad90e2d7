import LegatoTensor

/// What one model makes in one setting, or real recordings measured in the same way.
public struct DriftSystem: Sendable {
  public var name: String
  public var sounds: [MeasuredSound]
  /// Of each sound, if latents are measured.
  public var latents: [LatentSequence]
  /// Latents a second.
  public var latentRate: Double
  /// Recordings of the reference and, where latents are measured, of theirs, by index, that these sounds are made from: they are not
  /// compared with.
  public var leavingOut: Set<Int>

  public init(
    name: String, sounds: [MeasuredSound], latents: [LatentSequence] = [], latentRate: Double = 1,
    leavingOut: Set<Int> = []
  ) {
    (self.name, self.sounds, self.latents) = (name, sounds, latents)
    (self.latentRate, self.leavingOut) = (latentRate, leavingOut)
  }
}

extension DriftReport {
  /// Measures a system.
  ///
  /// - Parameter latents: real latents of the same codec; nil leaves latents unmeasured.
  /// - Throws: ``EvaluationError`` where no sound lasts a stretch, or latents do not fit.
  public init(
    _ system: DriftSystem, reference: DriftReference, latents: LatentReference? = nil, engine: CPUEngine
  ) throws {
    let sounds = system.sounds.filter { $0.stretches > 0 }
    guard !sounds.isEmpty else {
      throw EvaluationError(
        "\(system.name): nothing lasts a stretch of \(reference.stretchSeconds) s; make it longer, or the stretches shorter"
      )
    }
    let work = try DriftWork(
      system: system, sounds: sounds, reference: reference, latents: latents, engine: engine)
    name = system.name
    self.sounds = sounds.map(\.name)
    let floors = reference.floors(sounds: sounds.count)
    stretches = (0..<(sounds.map(\.stretches).max() ?? 0)).compactMap {
      work.stretch($0, floor: floors?.frechet)
    }
    let set = reference.set
    guard
      let distance = set.distance(work.rows.map { Array($0.joined()) }, leavingOut: system.leavingOut)
    else { throw EvaluationError("\(system.name): too little sound to be compared; make it longer") }
    self.distance = distance
    self.latents = work.latentDistance()
    floor = floors.map {
      DistanceFloor(
        recordings: $0.recordings, groups: $0.groups, frechet: $0.frechet.mean,
        frechetHigh: $0.frechet.high, discrepancy: $0.discrepancy.mean)
    }
    frechetSlope = work.slope(.frechet)
    discrepancySlope = work.slope(.discrepancy)
    accumulation = work.accumulation(stretches)
    latentsSlope = work.slope(.latents)
    distanceStretchesInside = stretches.count { $0.distanceIsInside == true }
    let mean = Statistics.mean(stretches.map(\.distance.frechet.value)) ?? 0
    distanceIsInside = floors.map { mean <= $0.frechet.meanLimit }
    measures = work.summaries(stretches)
    copying = work.copying()
    let single = work.rows.map {
      set.value([Array($0.joined())], leavingOut: system.leavingOut)?.frechet ?? 0
    }
    soundDistances = single
    worst = single.indices.max { single[$0] < single[$1] } ?? 0
    flags = foundFlags()
  }
}
