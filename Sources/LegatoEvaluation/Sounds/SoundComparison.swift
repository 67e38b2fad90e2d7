import LegatoTensor

/// All metrics of candidates against a reference, in one embedding.
///
/// Intervals are a jackknife over groups of sounds, at most ``jackknifeGroups``: sounds are the independent samples, windows are
/// not, and a bootstrap would be biased, since copies of rows lessen the rank.
public struct SoundComparison {
  /// How it is done.
  public struct Options: Sendable {
    /// fadtk's way of extrapolation.
    public var withReplacement = false
    /// Of all draws: the extrapolation's, the halves', the real sounds'.
    public var seed: UInt64 = 0

    public init() {}
  }

  /// A candidate with its label and where it comes from.
  public struct Candidate: Sendable {
    public var label: String
    public var source: String
    public var set: EmbeddedSet

    public init(label: String, source: String, set: EmbeddedSet) {
      (self.label, self.source, self.set) = (label, source, set)
    }
  }

  static let jackknifeGroups = 20
  /// An extrapolation costs 25 distances.
  static let extrapolationGroups = 10
  /// Of vectors and of dimensions: where both are more, a distance takes seconds, and what repeats it hundreds of times is left out.
  static let large = 700
  /// Draws of real sounds against the others.
  static let realDraws = 4

  private let reference: EmbeddedSet
  private let options: Options
  private let rows: FrechetRows.Reference
  private let kernel: KernelAudioDistance

  /// - Throws: ``EvaluationError`` for a reference of fewer than two rows.
  public init(reference: EmbeddedSet, options: Options = Options()) throws {
    (self.reference, self.options) = (reference, options)
    let d = reference.details.dimension
    guard let rows = FrechetRows.Reference(reference.rows, dimension: d),
      let kernel = KernelAudioDistance(reference: reference.pieces.map(\.embedded.rows), dimension: d)
    else {
      throw EvaluationError(
        "\(reference.name): the reference gives one vector of the embedder \(reference.details.name); give more sounds, or "
          + "longer ones")
    }
    (self.rows, self.kernel) = (rows, kernel)
  }

  /// Tables of all metrics that can be measured.
  ///
  /// - Parameter check: asked before every candidate, and may throw.
  /// - Throws: ``EvaluationError`` where a candidate has another embedding, or too few rows.
  public func tables(
    _ candidates: [Candidate], check: () throws -> Void = {}, measured: () -> Void = {}
  ) throws -> [MetricTable] {
    var entries: [SoundMetric: [MetricTable.Entry]] = [:]
    var known: [MetricTable.Count: [Draw]] = [:]
    for candidate in candidates {
      try check()
      guard candidate.set.details == reference.details else {
        throw EvaluationError(
          "\(candidate.label): its embedding is not the reference's, \(candidate.set.details.name) and "
            + "\(reference.details.name) with other weights or settings; they cannot be compared")
      }
      let count = Self.count(candidate.set)
      let draws = known[count] ?? draws(like: count)
      known[count] = draws
      try check()
      let real = besideReal(candidate.set, draws)
      for (metric, var entry) in try figures(candidate) {
        entry.real = metric == .divergence ? self.unpaired : real[metric]
        if entry.real == nil {
          entry.warnings.append(
            "the reference has \(reference.pieces.count) sound\(reference.pieces.count == 1 ? "" : "s"), too few to say what "
              + "real sounds reach against real ones")
        }
        entry.isOneOfSeveral = candidates.count { $0.label == candidate.label } > 1
        entries[metric, default: []].append(entry)
      }
      measured()
    }
    return SoundMetric.allCases.flatMap {
      MetricTable.tables(
        $0, embedder: reference.details, reference: Self.count(reference), entries: entries[$0] ?? [])
    }
  }

  private static func count(_ set: EmbeddedSet) -> MetricTable.Count {
    .init(pieces: set.pieces.count, rows: set.rowCount)
  }

  // MARK: One candidate

  private func figures(_ candidate: Candidate) throws -> [(SoundMetric, MetricTable.Entry)] {
    let set = candidate.set
    guard set.rowCount > 1 else {
      throw EvaluationError(
        "\(candidate.label): one vector of the embedder \(set.details.name) is no distribution; give more sounds, or longer "
          + "ones")
    }
    let sample = Sample(set, reference: rows)
    var found: [(SoundMetric, MetricTable.Entry)] = []
    func add(_ metric: SoundMetric, _ value: Estimate, _ change: (inout MetricTable.Entry) -> Void = { _ in })
    {
      var entry = MetricTable.Entry(
        label: candidate.label, source: candidate.source, count: Self.count(set), value: value)
      if set.pieces.count == 1 {
        entry.warnings.append("one sound gives no interval: windows of one sound are no independent samples")
      }
      change(&entry)
      found.append((metric, entry))
    }
    let halves = sample.halves(seed: options.seed)
    if let frechet = sample.frechet() {
      add(.frechet, frechet.estimate) {
        $0.halves = halves.map { halves in halves.compactMap { sample.frechet($0)?.value } }
        if let warning = frechet.distance.warning { $0.warnings.append(warning) }
      }
    }
    if let fit = extrapolation(sample) {
      add(.extrapolated, fit.estimate) {
        $0.fit = fit.fit
        if sample.rows.isLarge {
          $0.warnings.append(
            "so many vectors of so many dimensions are extrapolated once: there is no interval")
        } else {
          $0.halves = halves.map { halves in
            halves.compactMap { self.extrapolation(sample, rows: $0)?.value }
          }
        }
        $0.warnings += Self.warnings(fit.fit, dimension: set.details.dimension)
      }
    }
    let groups = Self.groups(set.pieces.count, at: Self.jackknifeGroups)
    if let kernel = kernel.distance(set.pieces.map(\.embedded.rows), leavingOut: groups) {
      add(.kernel, Estimate(kernel.value, leavingOneOut: kernel.without)) {
        $0.halves = halves.map { halves in
          halves.compactMap { half in
            self.kernel.distance(half.pieces.map { set.pieces[$0].embedded.rows })?.value
          }
        }
        if kernel.value < 0 {
          $0.warnings.append("the distance is negative: at these counts nothing tells both sets apart")
        }
        if self.kernel.bandwidth == 0 {
          $0.warnings.append(
            "more than half of the reference's vectors are alike: their median distance is 0, and the kernel has the width 1 instead, so this compares with no other KAD"
          )
        }
        let most = max(set.rowCount, self.reference.rowCount)
        if most > KernelAudioDistance.limit {
          $0.warnings.append("\(KernelAudioDistance.limit) of \(most) vectors, evenly chosen, are compared")
        }
      }
    }
    if !set.details.classes.isEmpty { addClasses(set, add) }
    // What could not be measured is said beside what could.
    let measured = Set(found.map(\.0))
    if !found.isEmpty {
      found[0].1.warnings += Self.reasons(set).filter { !measured.contains($0.key) }.map(\.value).sorted()
    }
    return found
  }

  private func addClasses(
    _ set: EmbeddedSet, _ add: (SoundMetric, Estimate, (inout MetricTable.Entry) -> Void) -> Void
  ) {
    let targets = Dictionary(
      reference.pieces.map { ($0.name, $0.embedded.logits) }, uniquingKeysWith: { first, _ in first })
    // Of several sounds of one name the first has the partner: pairs are independent samples.
    var paired: Set<String> = []
    let pairs = set.pieces.compactMap { piece in
      targets[piece.name].flatMap {
        paired.insert(piece.name).inserted ? (target: $0, generated: piece.embedded.logits) : nil
      }
    }
    if let divergence = KLDivergence.mean(pairs) {
      add(.divergence, divergence) {
        $0.count.pieces = pairs.count
        if pairs.count < set.pieces.count {
          $0.warnings.append(
            "\(set.pieces.count - pairs.count) of \(set.pieces.count) sounds have no partner of their name in the reference to themselves"
          )
        }
      }
    }
    if let score = InceptionScore(set.logits, seed: options.seed) {
      var estimate = Estimate(meanOf: score.splits) ?? Estimate(score.mean)
      estimate.value = score.mean
      add(.inception, estimate) { $0.deviation = score.deviation }
    }
  }

  /// Why a metric may be missing.
  private static func reasons(_ set: EmbeddedSet) -> [SoundMetric: String] {
    var reasons: [SoundMetric: String] = [
      .extrapolated: "no FD∞: it needs \(FrechetExtrapolation.fewest) vectors, and there are \(set.rowCount)"
    ]
    if !set.details.classes.isEmpty {
      reasons[.inception] =
        "no inception score: it needs \(InceptionScore.fewest) sounds, and there are \(set.pieces.count)"
      reasons[.divergence] = "no KL divergence: no sound has a partner of its name in the reference"
    }
    return reasons
  }

  private static func warnings(_ fit: FrechetExtrapolation, dimension: Int) -> [String] {
    var warnings: [String] = []
    if fit.value < 0 {
      warnings.append("the extrapolated distance is negative: at these counts nothing tells both sets apart")
    }
    // Where there is hardly a bias, noise is all that is left to explain.
    let bias = abs(fit.slope) / Double(max(1, fit.points.last?.samples ?? 1))
    if let explained = fit.explained, explained < 0.5, bias > 0.05 * abs(fit.value) {
      warnings.append(
        "the distances of parts are hardly a line in 1/n (R² \(Estimate.digits(explained))); give more sounds"
      )
    }
    if let smallest = fit.points.first?.samples, smallest <= dimension {
      warnings.append(
        "parts of \(smallest) vectors are too few for \(dimension) dimensions: there the distance is no line in 1/n; "
          + "give more sounds")
    }
    return warnings
  }

  private func extrapolation(_ sample: Sample, rows: Part) -> FrechetExtrapolation? {
    FrechetExtrapolation(
      sample.rows, of: rows.pieces.flatMap { Array(sample.ranges[$0]) },
      withReplacement: options.withReplacement, seed: options.seed)
  }

  private func extrapolation(_ sample: Sample) -> (fit: FrechetExtrapolation, estimate: Estimate)? {
    let all = Array(sample.ranges.indices)
    let isLarge = sample.rows.isLarge
    guard let fit = extrapolation(sample, rows: Part(pieces: all)) else { return nil }
    let without = Self.groups(isLarge ? 0 : all.count, at: Self.extrapolationGroups).compactMap { group in
      extrapolation(sample, rows: Part(pieces: all.filter { !group.contains($0) }))?.value
    }
    return (fit, Estimate(fit.value, leavingOneOut: without))
  }

  /// The indices of some things in disjoint groups by chance, one each where they are few; none for fewer than two. By chance, since
  /// styles take turns from seed to seed.
  static func groups(_ count: Int, at most: Int) -> [[Int]] {
    guard count > 1 else { return [] }
    let groups = min(count, most)
    let order = RandomStream(seed: 0, name: "groups").permutation(of: count)
    return (0..<groups).map { group in
      stride(from: group, to: count, by: groups).map { order[$0] }.sorted()
    }
  }

  // MARK: Real against real

  /// Some of the reference's sounds, what they reach against the rest, and the rest.
  private struct Draw {
    var pieces: [EmbeddedSet.Piece]
    var count: MetricTable.Count
    var figures: [SoundMetric: Double]
    var rest: FrechetRows.Reference
    var kernel: KernelAudioDistance
  }

  private func draws(like count: MetricTable.Count) -> [Draw] {
    let size = max(1, min(count.pieces, reference.pieces.count / 2))
    guard reference.pieces.count > 1 else { return [] }
    let random = RandomStream(seed: options.seed, name: "real")
    let d = reference.details.dimension
    let isLarge = min(reference.details.dimension, count.rows, reference.rowCount) > Self.large
    return (0..<(isLarge ? 1 : Self.realDraws)).compactMap { number in
      let order = random.permutation(of: reference.pieces.count, at: UInt64(number) << 32)
      // Of fewer sounds than the candidate has, no more rows than as many of the candidate's have.
      let pieces = shortened(
        order[..<size].sorted().map { reference.pieces[$0] }, rows: count.rows * size / max(1, count.pieces))
      let others = order[size...].sorted().map { reference.pieces[$0].embedded.rows }
      guard let rest = FrechetRows.Reference(others.flatMap { $0 }, dimension: d),
        let kernel = KernelAudioDistance(reference: others, dimension: d)
      else { return nil }
      var draw = Draw(
        pieces: pieces, count: .init(pieces: size, rows: pieces.reduce(0) { $0 + reference.rows(of: $1) }),
        figures: [:],
        rest: rest, kernel: kernel)
      draw.figures = figures(pieces, against: draw)
      return draw
    }
  }

  /// What real sounds reach, and as many of a candidate's against the same others.
  private func besideReal(_ set: EmbeddedSet, _ draws: [Draw]) -> [SoundMetric: MetricTable.RealAgainstReal] {
    let random = RandomStream(seed: options.seed, name: "candidate")
    let pairs = draws.enumerated().map { number, draw in
      let order = random.permutation(of: set.pieces.count, at: UInt64(number) << 32)
      let chosen = order.prefix(draw.count.pieces).sorted().map { set.pieces[$0] }
      let own = shortened(chosen, rows: draw.count.rows)
      var count = draw.count
      count.rows = own.reduce(0) { $0 + reference.rows(of: $1) }
      // Where the chosen ones are shorter, so are the real ones.
      let real =
        count.rows < draw.count.rows
        ? figures(shortened(draw.pieces, rows: count.rows), against: draw) : draw.figures
      return (count: count, real: real, own: figures(own, against: draw))
    }
    var found: [SoundMetric: MetricTable.RealAgainstReal] = [:]
    for metric in SoundMetric.allCases {
      let values = pairs.compactMap { $0.real[metric] }
      guard let mean = Statistics.mean(values), let count = pairs.first?.count else { continue }
      let likewise = pairs.compactMap { $0.own[metric] }
      found[metric] = .init(
        count: count, mean: mean, values: values,
        candidate: likewise.count == values.count ? likewise : [])
    }
    return found
  }

  /// The middles of some sounds, so that they have no more rows together than are wanted.
  private func shortened(_ pieces: [EmbeddedSet.Piece], rows: Int) -> [EmbeddedSet.Piece] {
    let d = reference.details.dimension
    var left = rows
    // The shortest first, so that longer ones make up for what they lack.
    let order = pieces.indices.sorted { reference.rows(of: pieces[$0]) < reference.rows(of: pieces[$1]) }
    var result = pieces
    for (done, index) in order.enumerated() {
      let own = reference.rows(of: pieces[index])
      let kept = max(1, min(own, left / (pieces.count - done)))
      let first = (own - kept) / 2
      result[index].embedded.rows = Array(pieces[index].embedded.rows[first * d..<(first + kept) * d])
      left -= kept
    }
    return result
  }

  private func figures(_ pieces: [EmbeddedSet.Piece], against draw: Draw) -> [SoundMetric: Double] {
    let own = pieces.flatMap(\.embedded.rows)
    let rows = FrechetRows(own, reference: draw.rest)
    var found: [SoundMetric: Double] = [:]
    found[.frechet] = rows.whole?.value
    found[.extrapolated] =
      FrechetExtrapolation(
        rows, of: Array(0..<rows.count), withReplacement: options.withReplacement, seed: options.seed)?
      .value
    found[.kernel] = draw.kernel.distance([own])?.value
    found[.inception] =
      InceptionScore(pieces.map(\.embedded.logits).filter { !$0.isEmpty }, seed: options.seed)?
      .mean
    return found
  }

  /// Each real sound beside another one.
  private var unpaired: MetricTable.RealAgainstReal? {
    let logits = reference.logits
    guard logits.count > 1 else { return nil }
    let order = RandomStream(seed: options.seed, name: "pairs").permutation(of: logits.count)
    let pairs = order.indices.map {
      (target: logits[order[$0]], generated: logits[order[($0 + 1) % order.count]])
    }
    return KLDivergence.mean(pairs).map {
      .init(
        count: .init(pieces: pairs.count, rows: reference.rowCount), mean: $0.value, values: [$0.value],
        candidate: [])
    }
  }
}

/// Some of a set's sounds.
struct Part {
  var pieces: [Int]
}

/// A set's rows, with the places of each sound's.
private struct Sample {
  let rows: FrechetRows
  let ranges: [Range<Int>]

  init(_ set: EmbeddedSet, reference: FrechetRows.Reference) {
    rows = FrechetRows(set.rows, reference: reference)
    var start = 0
    ranges = set.pieces.map { piece in
      defer { start += set.rows(of: piece) }
      return start..<start + set.rows(of: piece)
    }
  }

  func frechet(_ half: Part) -> FrechetDistance? {
    rows.distance(of: half.pieces.flatMap { Array(ranges[$0]) })
  }

  /// Of all, with the interval of the jackknife.
  func frechet() -> (distance: FrechetDistance, estimate: Estimate)? {
    guard let distance = rows.whole else { return nil }
    let without = SoundComparison.groups(ranges.count, at: SoundComparison.jackknifeGroups).compactMap {
      group in
      frechet(Part(pieces: ranges.indices.filter { !group.contains($0) }))?.value
    }
    return (distance, Estimate(positive: distance.value, leavingOneOut: without))
  }

  /// Two halves by chance; nil for fewer than two sounds.
  func halves(seed: UInt64) -> [Part]? {
    guard ranges.count > 1 else { return nil }
    let order = RandomStream(seed: seed, name: "halves").permutation(of: ranges.count)
    return [
      Part(pieces: Array(order[..<(order.count / 2)])), Part(pieces: Array(order[(order.count / 2)...])),
    ]
  }
}
