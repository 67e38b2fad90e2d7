import LegatoEvaluation
import LegatoModels

/// What one row came to with one training seed.
public struct CAMResult: Sendable, Codable {
  public var row: String
  public var seed: Int
  /// Hash of the recipe, the data and what is measured.
  public var key: String
  public var parameters: Int
  public var updates: Int
  public var losses: [String: Double]
  /// At which it played: the best that were found for it.
  public var settings: GenerationDefaults
  /// What the search tried, in order.
  public var search: [SettingsTuner.Score]
  public var seconds: Seconds
  public var hardware: String
  /// Of codes: mean distance of recordings that go through the codes and back: what the codes alone cost.
  public var quantised: Double?
  public var report: DriftReport

  /// Wall time.
  public struct Seconds: Sendable, Codable, Hashable {
    /// Nil where another row trained the same weights.
    public var training: Double?
    public var tuning: Double
    public var measuring: Double
  }

  /// Fréchet distance of the first stretch: within what training saw at once.
  public var first: Double? { report.stretches.first?.distance.frechet.value }
  /// FADacc as Legato defines it: the distance of the last stretch, several times a training crop from the start.
  public var last: Double? { report.stretches.last?.distance.frechet.value }
  /// Mean over the stretches.
  public var average: Double? { Statistics.mean(report.stretches.map(\.distance.frechet.value)) }
  public var averageLatents: Double? {
    Statistics.mean(report.stretches.compactMap { $0.latents?.frechet.value })
  }
  /// The same of latents.
  public var firstLatents: Double? { report.stretches.first?.latents?.frechet.value }
  public var lastLatents: Double? { report.stretches.last?.latents?.frechet.value }
}
