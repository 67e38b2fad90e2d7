import LegatoNN
import LegatoTensor
import Synchronization

/// Real music in stretches, as generations are compared with it: measured once for any number of reports.
public struct DriftReference: Sendable {
  public let embedding: PatchEmbedding
  public let stretchSeconds: Double
  public let spreads: [DriftMeasure: DriftSpread]
  /// Names of the recordings.
  public let recordings: [String]
  /// Whole stretches of all of them.
  public let stretches: Int
  /// What a copy would be: 99 % of real excerpts are farther from the nearest training excerpt.
  public let copyThreshold: Double?
  let set: ReferenceSet
  let bank: ExcerptBank?
  /// Rows of each recording's stretches.
  private let rows: [[[Float]]]
  private let cache = FloorCache()

  /// Real recordings that are searched for in the training recordings, at most.
  private static let searchLimit = 32

  /// - Parameters:
  ///   - recordings: real music that training has not seen, measured in stretches of one length.
  ///   - training: what training has seen; nil leaves copying unmeasured.
  ///   - progress: hears how many training recordings have been searched.
  /// - Throws: ``EvaluationError`` for too little music.
  public init(
    _ recordings: [MeasuredSound], training: ExcerptBank? = nil, components: Int = 16, engine: CPUEngine,
    progress: (Int) -> Void = { _ in }
  ) throws {
    let whole = recordings.filter { $0.stretches > 0 }
    guard whole.count > 1, let framesPerStretch = whole.first?.framesPerStretch else {
      throw EvaluationError(
        "\(whole.count) of \(recordings.count) real recordings last a whole stretch; give at least two longer ones, "
          + "or measure shorter stretches")
    }
    stretchSeconds = Double(framesPerStretch) / LogMelAnalyser.frameRate
    self.recordings = whole.map(\.name)
    stretches = whole.reduce(0) { $0 + $1.stretches }
    let embedding = try PatchEmbedding(fittedOn: whole.map(\.frames), components: components)
    let rows = whole.map { sound in (0..<sound.stretches).map { embedding.rows(sound.frames(of: $0)) } }
    let set = try ReferenceSet(rows.map { Array($0.joined()) }, dimension: embedding.dimension)
    let bank = training.flatMap { $0.isEmpty ? nil : $0 }
    // Some of the recordings, evenly chosen, tell how near unseen music comes.
    let searched = min(whole.count, Self.searchLimit)
    let chosen = (0..<searched).map { $0 * whole.count / searched }
    let found = bank?.nearest(chosen.map { whole[$0].frames }, engine: engine, progress: progress)
    let matches = found.map { Dictionary(uniqueKeysWithValues: zip(chosen, $0)) }
    let values = whole.indices.map { index in
      Self.values(
        of: whole[index], rows: rows[index], matches: matches?[index], set: set, leavingOut: [index],
        engine: engine)
    }
    var spreads: [DriftMeasure: DriftSpread] = [:]
    for measure in DriftMeasure.allCases {
      spreads[measure] = DriftSpread(
        measure, recordings: values.map { $0.compactMap { $0[measure] } })
    }
    copyThreshold = matches.flatMap { Statistics.quantile($0.values.joined().map(\.distance), 0.01) }
    (self.embedding, self.set, self.bank, self.rows, self.spreads) = (embedding, set, bank, rows, spreads)
  }

  /// What makes the reference less than it should be.
  public var warnings: [String] { warnings() }

  /// The same for generations of other lengths.
  ///
  /// - Parameter seconds: how long a recording should be.
  public func warnings(lasting seconds: Double = 360) -> [String] {
    var warnings: [String] = []
    if recordings.count < 64 {
      warnings.append(
        "the reference holds \(recordings.count) recordings; with fewer than 64 the spread of real music is uncertain"
      )
    }
    let short = rows.count { Double($0.count + 1) * stretchSeconds <= seconds }
    if short > 0 {
      warnings.append(
        "\(short) of \(recordings.count) real recordings hold less than \(seconds == 360 ? "six minutes" : "\(Estimate.digits(seconds)) s") in whole stretches; "
          + "late stretches are compared with what is there")
    }
    return warnings
  }

  /// Every measure of each stretch of a sound.
  static func values(
    of sound: MeasuredSound, rows: [[Float]], matches: [ExcerptBank.Match]?, set: ReferenceSet,
    leavingOut: Set<Int>, engine: CPUEngine
  ) -> [[DriftMeasure: Double]] {
    let rest = set.reference(leavingOut: leavingOut)
    return sound.measures.indices.map { stretch in
      var values: [DriftMeasure: Double] = [:]
      for measure in DriftMeasure.allCases { values[measure] = measure.value(sound.measures[stretch]) }
      let statistics = GaussianStatistics(rows: rows[stretch], dimension: set.dimension)
      if statistics.count > 1 {
        values[.frechet] = FrechetDistance(reference: rest, statistics).value
      }
      values[.discrepancy] = set.discrepancy.sums([rows[stretch]]).value(ofReference: leavingOut)
      if stretch > 0 {
        values[.novelty] = Novelty.distance(
          of: sound.frames(of: stretch), from: sound.frames(of: stretch - 1), engine: engine)
      }
      let length = Double(sound.framesPerStretch) / LogMelAnalyser.frameRate
      values[.training] =
        matches?.filter { Int($0.time / length) == stretch }.map(\.distance).min()
      return values
    }
  }

  /// What real recordings reach together, stretch by stretch: groups of so many against the others.
  struct Floor: Sendable {
    /// Of single stretches of all groups.
    var mean: Double
    var high: Double
    /// Over groups, of their mean over stretches.
    var meanLimit: Double
  }

  struct Floors: Sendable {
    /// Together, and how often.
    var recordings: Int
    var groups: Int
    var frechet: Floor
    var discrepancy: Floor
  }

  /// Floors that are known already, by the size of their groups.
  private final class FloorCache: Sendable {
    let floors = Mutex<[Int: Floors]>([:])
  }

  /// Fréchet distance and discrepancy of as many real recordings together as there are seeds.
  func floors(sounds: Int) -> Floors? {
    let size = max(1, min(sounds, rows.count / 2))
    if let known = cache.floors.withLock({ $0[size] }) { return known }
    let made = measuredFloors(size)
    cache.floors.withLock { $0[size] = made }
    return made
  }

  private func measuredFloors(_ size: Int) -> Floors? {
    let random = RandomStream(seed: 0, name: "drift floor")
    var (frechet, discrepancy) = ([[Double]](), [[Double]]())
    // Several ways to form groups, since a small reference has few.
    for partition in 0..<max(2, 24 * size / rows.count) {
      let order = random.permutation(of: rows.count, at: UInt64(partition * rows.count))
      for first in stride(from: 0, through: order.count - size, by: size) {
        let group = order[first..<first + size]
        let common = group.map { rows[$0].count }.min() ?? 0
        let distances = (0..<common).compactMap { stretch in
          set.value(group.map { rows[$0][stretch] }, leavingOut: Set(group))
        }
        guard !distances.isEmpty else { continue }
        frechet.append(distances.map(\.frechet))
        discrepancy.append(distances.compactMap(\.discrepancy))
      }
    }
    guard let first = Self.floor(frechet), let second = Self.floor(discrepancy) else { return nil }
    return Floors(recordings: size, groups: frechet.count, frechet: first, discrepancy: second)
  }

  private static func floor(_ groups: [[Double]]) -> Floor? {
    let means = groups.compactMap { Statistics.mean($0) }
    let values = groups.flatMap { $0 }
    guard let mean = Statistics.mean(values), let high = Statistics.quantile(values, 0.95),
      let centre = Statistics.mean(means)
    else { return nil }
    return Floor(mean: mean, high: high, meanLimit: centre + 3 * (Statistics.deviation(means) ?? 0))
  }
}
