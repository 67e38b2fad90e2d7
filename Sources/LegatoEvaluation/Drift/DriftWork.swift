import LegatoTensor

/// What a ``DriftReport`` is made from.
final class DriftWork {
  let system: DriftSystem
  let sounds: [MeasuredSound]
  let reference: DriftReference
  /// Of each sound and stretch.
  let rows: [[[Float]]]
  private let values: [[[DriftMeasure: Double]]]
  private let matches: [[ExcerptBank.Match]]?
  private let latents: LatentReference?
  private let latentRows: [[Float]]
  /// Of stretches that all sounds reach: distances without each sound.
  private var without: [Int: LeaveOneOut] = [:]
  private var latentsWithout: [Int: LeaveOneOut] = [:]

  init(
    system: DriftSystem, sounds: [MeasuredSound], reference: DriftReference, latents: LatentReference?,
    engine: CPUEngine
  ) throws {
    (self.system, self.sounds, self.reference, self.latents) = (system, sounds, reference, latents)
    let rows = sounds.map { sound in
      (0..<sound.stretches).map { reference.embedding.rows(sound.frames(of: $0)) }
    }
    let matches = reference.bank?.nearest(sounds.map(\.frames), engine: engine)
    values = sounds.indices.map { index in
      DriftReference.values(
        of: sounds[index], rows: rows[index], matches: matches?[index], set: reference.set,
        leavingOut: system.leavingOut, engine: engine)
    }
    (self.rows, self.matches) = (rows, matches)
    latentRows = try latents?.rows(system.latents) ?? []
  }

  /// Distances of a stretch without each sound; nil where not all sounds reach it, or before it was measured.
  func leavingOut(_ stretch: Int) -> LeaveOneOut? { without[stretch] }

  private func position(_ stretch: Int) -> (start: Double, end: Double) {
    (Double(stretch) * reference.stretchSeconds, Double(stretch + 1) * reference.stretchSeconds)
  }

  /// All sounds at one position; nil where nothing reaches it.
  func stretch(_ index: Int, floor: DriftReference.Floor?) -> DriftReport.Stretch? {
    let there = sounds.indices.filter { index < sounds[$0].stretches }
    guard
      let (distance, left) = reference.set.jackknife(
        there.map { rows[$0][index] }, leavingOut: system.leavingOut)
    else { return nil }
    if there.count == sounds.count { without[index] = left }
    let (start, end) = position(index)
    var measures: [DriftMeasure: DriftReport.Values] = [:]
    for measure in DriftMeasure.allCases {
      let found = there.compactMap { values[$0][index][measure] }
      guard let spread = reference.spreads[measure], let median = Statistics.median(found),
        let share = spread.share(of: found, outside: measure)
      else { continue }
      measures[measure] = .init(
        sounds: found, median: median, shareOutside: share,
        isInside: share <= spread.allowedShare(measure, sounds: found.count, ofOneStretch: true))
    }
    return DriftReport.Stretch(
      start: start, end: end, distance: distance, latents: latents(index),
      distanceIsInside: floor.map { distance.frechet.value <= $0.high }, measures: measures)
  }

  private func latents(_ index: Int) -> SetDistance? {
    guard let latents else { return nil }
    let (start, end) = position(index)
    let (first, last) = (Int(start * system.latentRate), Int(end * system.latentRate))
    let width = latents.components
    let parts = latentRows.filter { $0.count >= last * width }.map { Array($0[first * width..<last * width]) }
    guard !parts.isEmpty, let (distance, left) = latents.set.jackknife(parts, leavingOut: system.leavingOut)
    else {
      return nil
    }
    if parts.count == sounds.count { latentsWithout[index] = left }
    return distance
  }

  /// Latents of the whole length.
  func latentDistance() -> SetDistance? {
    latents.flatMap {
      latentRows.isEmpty ? nil : $0.set.distance(latentRows, leavingOut: system.leavingOut)
    }
  }

  enum Distance { case frechet, discrepancy, latents }

  /// Slope a minute of a distance of all sounds together, over the stretches that all reach.
  func slope(_ distance: Distance) -> Estimate? {
    let kept = distance == .latents ? latentsWithout : without
    let indices = kept.keys.sorted()
    let minutes = indices.map { (position($0).start + position($0).end) / 120 }
    func values(_ index: Int) -> (Double?, [Double]) {
      guard let left = kept[index] else { return (nil, []) }
      return distance == .discrepancy
        ? (left.discrepancy, left.discrepancyWithout) : (left.frechet, left.frechetWithout)
    }
    let all = indices.map(values)
    guard all.allSatisfy({ $0.0 != nil }), let slope = Statistics.slope(minutes, all.compactMap(\.0)) else {
      return nil
    }
    let count = all.map(\.1.count).min() ?? 0
    return Estimate(
      slope,
      leavingOneOut: (0..<count).compactMap { left in Statistics.slope(minutes, all.map { $0.1[left] }) })
  }

  func summaries(_ stretches: [DriftReport.Stretch]) -> [DriftMeasure: DriftReport.Summary] {
    var summaries: [DriftMeasure: DriftReport.Summary] = [:]
    for measure in DriftMeasure.allCases {
      let there = stretches.compactMap { $0.measures[measure] }
      guard !there.isEmpty, let spread = reference.spreads[measure] else { continue }
      let shares = values.compactMap { spread.share(of: $0.compactMap { $0[measure] }, outside: measure) }
      let share = Statistics.mean(shares)
      let allowed = spread.allowedShare(measure, sounds: shares.count, ofOneStretch: false)
      let slopes = values.compactMap { stretches in
        let known = stretches.enumerated().compactMap { index, values in
          values[measure].map { ((position(index).start + position(index).end) / 120, $0) }
        }
        return Statistics.slope(known.map(\.0), known.map(\.1))
      }
      summaries[measure] = .init(
        slope: Estimate(meanOf: slopes), stretchesInside: there.count { $0.isInside },
        stretches: there.count, shareOutside: share, shareAllowed: allowed,
        isInside: share.map { $0 <= allowed } ?? true)
    }
    return summaries
  }

  /// Excerpts that are nearer to a training excerpt than real ones are.
  func copying() -> DriftReport.Copying? {
    guard let matches, let threshold = reference.copyThreshold else { return nil }
    let all = matches.enumerated().flatMap { sound, matches in matches.map { (sound, $0) } }
    guard let closest = all.min(by: { $0.1.distance < $1.1.distance }) else { return nil }
    let share = Double(all.count { $0.1.distance < threshold }) / Double(all.count)
    return .init(
      excerpts: all.count, share: share, sound: sounds[closest.0].name, closest: closest.1,
      // One in a hundred is chance; one in twenty, of as many excerpts as there are in minutes, is not.
      threshold: threshold, isInside: share <= 0.05)
  }
}

/// Distances of a set, and without each of its units.
struct LeaveOneOut {
  var frechet: Double
  var frechetWithout: [Double]
  var discrepancy: Double?
  var discrepancyWithout: [Double]
}
