import LegatoNN

extension DriftReport {
  /// How much error accumulates ("FADacc"): the Fréchet distance of the last stretch of long generations from real music, beside
  /// and less that of the first, all sounds together.
  ///
  /// The papers that name a FADacc (Pasini et al., arXiv 2411.18447) do not say how it is computed; this is our own definition, and
  /// its numbers compare with nobody else's. The generations should last several times longer than what training sees at once. Both
  /// stretches hold the same number of sounds, so that the bias of few samples is the same in both.
  public struct Accumulation: Sendable, Codable, Hashable {
    /// Seconds from the start of both stretches.
    public var firstStart: Double
    public var lastStart: Double
    /// Seconds of a stretch.
    public var seconds: Double
    public var sounds: Int
    public var first: Estimate
    public var last: Estimate
    /// Last less first; the interval is the jackknife's over sounds.
    public var difference: Estimate

    enum CodingKeys: String, CodingKey {
      case seconds, sounds, first, last, difference
      case firstStart = "first_start"
      case lastStart = "last_start"
    }
  }
}

extension DriftWork {
  /// Of the stretches that all sounds reach; nil for fewer than two.
  func accumulation(_ stretches: [DriftReport.Stretch]) -> DriftReport.Accumulation? {
    let common = sounds.map(\.stretches).min() ?? 0
    guard common > 1, stretches.count >= common, let start = leavingOut(0), let end = leavingOut(common - 1)
    else { return nil }
    let (first, last) = (stretches[0], stretches[common - 1])
    return .init(
      firstStart: first.start, lastStart: last.start, seconds: last.end - last.start, sounds: sounds.count,
      first: first.distance.frechet, last: last.distance.frechet,
      difference: Estimate(
        end.frechet - start.frechet,
        leavingOneOut: zip(end.frechetWithout, start.frechetWithout).map { $0 - $1 }))
  }
}
