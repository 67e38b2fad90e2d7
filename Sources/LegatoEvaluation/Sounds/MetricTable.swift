/// Figures that may be compared: one metric of one embedder against one reference and, where a metric depends on it, of one
/// count.
public struct MetricTable: Sendable, Codable {
  /// How much was measured.
  public struct Count: Sendable, Codable, Hashable {
    /// Sounds.
    public var pieces: Int
    /// Vectors.
    public var rows: Int

    public init(pieces: Int, rows: Int) { (self.pieces, self.rows) = (pieces, rows) }
  }

  /// What real sounds reach against the other real ones, at the same count.
  public struct RealAgainstReal: Sendable, Codable, Hashable {
    /// Of a draw.
    public var count: Count
    public var mean: Double
    /// Of each draw from the reference, against the rest of it.
    public var values: [Double]
    /// As many of the candidate's sounds against the same others: what the values may be compared with, whatever the counts.
    public var candidate: [Double]
  }

  /// One candidate.
  public struct Entry: Sendable, Codable {
    public var label: String
    /// Folder, manifest or package.
    public var source: String
    /// Whether other candidates have its label.
    public var isOneOfSeveral = false
    public var count: Count
    /// With the interval of the jackknife over sounds.
    public var value: Estimate
    /// Of two disjoint halves of its sounds, each at half the count.
    public var halves: [Double]?
    public var real: RealAgainstReal?
    /// Of ``SoundMetric/extrapolated``.
    public var fit: FrechetExtrapolation?
    /// Of ``SoundMetric/inception``, over splits.
    public var deviation: Double?
    public var warnings: [String] = []

    enum CodingKeys: String, CodingKey {
      case label, source, count, value, halves, real, fit, deviation, warnings
      case isOneOfSeveral = "one_of_several"
    }

    /// The label, and the source where the label alone would not tell which it is.
    var name: String { isOneOfSeveral ? "\(label) (\(source))" : label }
  }

  /// Candidates of one label: models that differ in their training's seed alone.
  public struct Group: Sendable, Codable {
    public var label: String
    public var trainings: Int
    /// Mean and interval over the trainings; of Fréchet distances, which are positive, the geometric one.
    public var value: Estimate
  }

  public var metric: SoundMetric
  public var embedder: EmbedderDetails
  public var reference: Count
  public var entries: [Entry]
  public var groups: [Group]

  init(metric: SoundMetric, embedder: EmbedderDetails, reference: Count, entries: [Entry]) {
    (self.metric, self.embedder, self.reference, self.entries) = (metric, embedder, reference, entries)
    var labels: [String] = []
    for entry in entries where !labels.contains(entry.label) { labels.append(entry.label) }
    groups = labels.compactMap { label in
      let values = entries.filter { $0.label == label }.map(\.value.value)
      guard values.count > 1,
        let mean = metric == .frechet ? Estimate(geometricMeanOf: values) : Estimate(meanOf: values)
      else { return nil }
      return Group(label: label, trainings: values.count, value: mean)
    }
  }

  /// Tables of one metric: as many as there are counts, of sounds or vectors, that differ by more than a twentieth, where it depends on
  /// them.
  static func tables(
    _ metric: SoundMetric, embedder: EmbedderDetails, reference: Count, entries: [Entry]
  ) -> [MetricTable] {
    guard !entries.isEmpty else { return [] }
    var parts: [[Entry]] = []
    func areNear(_ a: Int, _ b: Int) -> Bool { 20 * abs(a - b) <= max(a, b) }
    for entry in entries {
      let place = parts.firstIndex { part in
        metric.isComparableAcrossCounts
          || part.allSatisfy {
            areNear($0.count.pieces, entry.count.pieces)
              && (metric == .inception || areNear($0.count.rows, entry.count.rows))
          }
      }
      if let place { parts[place].append(entry) } else { parts.append([entry]) }
    }
    return parts.map { MetricTable(metric: metric, embedder: embedder, reference: reference, entries: $0) }
  }
}
