import LegatoModels

/// Several models and settings beside real music: the report that `legato drift` writes.
public struct DriftStudy: Sendable, Codable {
  /// What everything was compared with.
  public struct Reference: Sendable, Codable {
    public var recordings: Int
    /// Folder or manifest.
    public var source: String
    public var stretches: Int
    public var stretchSeconds: Double
    /// SHA-256 of the embedding that was fitted on them.
    public var embedding: String
    public var components: Int
    public var explainedVariance: Double
    /// σ of the discrepancy's Gaussian kernel: the median distance between real patches.
    public var bandwidth: Double
    public var spreads: [DriftMeasure: DriftSpread]

    enum CodingKeys: String, CodingKey {
      case recordings, source, stretches, embedding, components, spreads
      case stretchSeconds = "stretch_seconds"
      case explainedVariance = "explained_variance"
      case bandwidth = "mmd_bandwidth"
    }

    init(_ reference: DriftReference, source: String) {
      self.source = source
      recordings = reference.recordings.count
      embedding = reference.embedding.digest
      stretches = reference.stretches
      stretchSeconds = reference.stretchSeconds
      components = reference.embedding.dimension
      explainedVariance = reference.embedding.projection.explained
      bandwidth = reference.set.bandwidth
      spreads = reference.spreads
    }
  }

  /// One model in one setting.
  public struct System: Sendable, Codable {
    public var report: DriftReport
    /// Models of one group differ only in their training's seed.
    public var group: String
    /// Of its model package.
    public var model: String
    /// SHA-256 of its weights.
    public var weights: String
    /// Which real recordings, reconstructed by its codec, it is measured beside.
    public var codec: String
    /// How it generated.
    public var settings: GenerationDefaults
    /// In words; nil where the package has no styles.
    public var style: String?
    /// Fréchet distance divided by that of the codec's reconstructions.
    public var ratio: Estimate?

    enum CodingKeys: String, CodingKey {
      case report, group, model, weights, codec, settings, style, ratio
    }

    public init(
      report: DriftReport, group: String, model: String, weights: String, codec: String,
      settings: GenerationDefaults, style: String? = nil
    ) {
      (self.report, self.group, self.model, self.codec) = (report, group, model, codec)
      self.weights = weights
      (self.settings, self.style) = (settings, style)
    }
  }

  /// Real recordings as a codec gives them back.
  public struct Reconstruction: Sendable, Codable {
    public var codec: String
    public var report: DriftReport

    public init(codec: String, report: DriftReport) { (self.codec, self.report) = (codec, report) }
  }

  /// Models that differ only in their training's seed, which are the independent samples here.
  public struct Group: Sendable, Codable {
    public var name: String
    public var models: Int
    public var firstStretch: Estimate
    public var lastStretch: Estimate
    public var distance: Estimate
    public var ratio: Estimate?
    /// A minute.
    public var slope: Estimate?

    enum CodingKeys: String, CodingKey {
      case name, models, distance, ratio, slope
      case firstStretch = "first_stretch"
      case lastStretch = "last_stretch"
    }
  }

  /// Of the latents that were compared with.
  public struct Latents: Sendable, Codable {
    public var recordings: Int
    public var components: Int
    public var explainedVariance: Double
    public var floor: DistanceFloor?

    enum CodingKeys: String, CodingKey {
      case recordings, components, floor
      case explainedVariance = "explained_variance"
    }
  }

  public var title: String
  /// How it was made, in a sentence.
  public var method: String
  public var reference: Reference
  public var latents: Latents?
  public var systems: [System]
  /// Real recordings measured like a system, against the others: what should not stand out.
  public var real: DriftReport
  public var reconstructions: [Reconstruction]
  public var groups: [Group]
  public var warnings: [String]

  /// - Parameter source: folder or manifest of the reference's recordings.
  public init(
    title: String, method: String, reference: DriftReference, source: String, latents: LatentReference? = nil,
    systems: [System], real: DriftReport, reconstructions: [Reconstruction], warnings: [String] = []
  ) {
    (self.title, self.method) = (title, method)
    (self.real, self.reconstructions) = (real, reconstructions)
    self.reference = Reference(reference, source: source)
    self.systems = systems.map { system in
      var system = system
      system.ratio = reconstructions.first { $0.codec == system.codec }.flatMap {
        Estimate(system.report.distance.frechet, dividedBy: $0.report.distance.frechet)
      }
      return system
    }
    let sounds = systems.map(\.report.sounds.count).max() ?? 1
    self.latents = latents.map {
      Latents(
        recordings: $0.sequences, components: $0.components, explainedVariance: $0.explained,
        floor: $0.floor(units: sounds))
    }
    groups = Self.groups(self.systems)
    var warnings = reference.warnings + warnings
    for warning in systems.flatMap(\.report.warnings) where !warnings.contains(warning) {
      warnings.append(warning)
    }
    self.warnings = warnings
  }

  /// In the order in which they come.
  static func groupNames(_ systems: [System]) -> [String] {
    var names: [String] = []
    for system in systems where !names.contains(system.group) { names.append(system.group) }
    return names
  }

  private static func groups(_ systems: [System]) -> [Group] {
    groupNames(systems).compactMap { name in
      let members = systems.filter { $0.group == name }
      func mean(_ value: (System) -> Double?) -> Estimate? {
        Estimate(geometricMeanOf: members.compactMap(value))
      }
      guard members.count > 1, let distance = mean({ $0.report.distance.frechet.value }),
        let first = mean({ $0.report.stretches.first?.distance.frechet.value }),
        let last = mean({ $0.report.stretches.last?.distance.frechet.value })
      else { return nil }
      return Group(
        name: name, models: members.count, firstStretch: first, lastStretch: last, distance: distance,
        ratio: mean { $0.ratio?.value },
        slope: Estimate(meanOf: members.compactMap { $0.report.frechetSlope?.value }))
    }
  }
}
