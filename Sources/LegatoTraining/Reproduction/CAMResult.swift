import LegatoEvaluation
import LegatoModels

/// What one row came to with one training seed.
public struct CAMResult: Sendable, Codable {
  public var row: String
  public var seed: Int
  /// Hash of the recipe, the data and what settings are found by.
  public var key: String
  /// ``CAMExperiment/measuring`` of the report; nil before there was one.
  var measuring: Int?
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
  /// How often streams went back to a good state, since what they drew was no music; and drew none all the same.
  public var recoveries: Int?
  public var failures: Int?
  public var report: DriftReport

  /// Wall time.
  public struct Seconds: Sendable, Codable, Hashable {
    /// Nil where another row trained the same weights.
    public var training: Double?
    public var tuning: Double
    public var measuring: Double
  }

  /// Fréchet distance of the first stretch: within what training saw at once. Intervals are over streams.
  public var first: Estimate? { report.stretches.first?.distance.frechet }
  /// FADacc as Legato defines it: the distance of the last stretch, several times a training crop from the start.
  public var last: Estimate? { report.stretches.last?.distance.frechet }
  /// Mean over the stretches, which are not independent: without an interval.
  public var average: Estimate? {
    Statistics.mean(report.stretches.map(\.distance.frechet.value)).map { Estimate($0) }
  }
  public var averageLatents: Estimate? {
    Statistics.mean(report.stretches.compactMap { $0.latents?.frechet.value }).map { Estimate($0) }
  }
  /// The same of latents.
  public var firstLatents: Estimate? { report.stretches.first?.latents?.frechet }
  public var lastLatents: Estimate? { report.stretches.last?.latents?.frechet }
  public var growth: Estimate? {
    last.flatMap { last in first.map { Estimate(last.value / $0.value) } }
  }
}
