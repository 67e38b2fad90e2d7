/// What `legato evaluate sounds` writes: what was measured, of what, and how.
public struct SoundReport: Sendable, Codable {
  public static let currentVersion = 1

  /// Sounds that were measured.
  public struct Source: Sendable, Codable {
    public var label: String
    /// Folder, manifest, file or package.
    public var source: String
    /// Of a manifest's recordings; empty for all.
    public var splits: [String] = []
    public var sounds: Int
    public var seconds: Double
    /// Sounds by their Hz, and by their channels.
    public var sampleRates: [String: Int]
    public var channels: [String: Int]
    /// How they were generated; nil for recordings.
    public var generation: String?
    /// Of a package's weights.
    public var weights: String?

    public init(label: String, source: String, generation: String? = nil, weights: String? = nil) {
      (self.label, self.source, self.generation, self.weights) = (label, source, generation, weights)
      (sounds, seconds, sampleRates, channels) = (0, 0, [:], [:])
    }

    enum CodingKeys: String, CodingKey {
      case label, source, splits, sounds, seconds, channels, generation
      case sampleRates = "sample_rates"
      case weights = "weights_sha256"
    }
  }

  public var formatVersion = Self.currentVersion
  public var reference: Source
  public var candidates: [Source]
  public var tables: [MetricTable]
  public var warnings: [String]
  /// Of all draws: the extrapolation's, the halves', the real sounds'.
  public var seed: UInt64

  enum CodingKeys: String, CodingKey {
    case reference, candidates, tables, warnings, seed
    case formatVersion = "format_version"
  }

  public init(
    reference: Source, candidates: [Source], tables: [MetricTable], warnings: [String], seed: UInt64
  ) {
    (self.reference, self.candidates, self.tables) = (reference, candidates, tables)
    (self.warnings, self.seed) = (warnings, seed)
  }

  /// Tables of each embedder, in order.
  var embedders: [(details: EmbedderDetails, tables: [MetricTable])] {
    var found: [(details: EmbedderDetails, tables: [MetricTable])] = []
    for table in tables {
      if let index = found.firstIndex(where: { $0.details == table.embedder }) {
        found[index].tables.append(table)
      } else {
        found.append((table.embedder, [table]))
      }
    }
    return found
  }
}
