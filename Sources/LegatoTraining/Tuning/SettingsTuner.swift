import Foundation
import Legato
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// Finds the temperature, context noise and feedback gain at which a package's streams are likest to real music.
///
/// They belong to a training: what suits one set of weights lets the next fade or drone. Every trial makes some streams and
/// measures them against prepared latents (``Criterion``); the cheapest is compared with the start once
/// more, on other seeds, and taken only where it wins there, too.
public struct SettingsTuner {
  public var package: ModelPackage
  /// Made with the package's codec.
  public var data: LatentDataset
  /// The style that plays, whose factors are then looked for; nil for the settings of the package, its styles in turn.
  public var playedStyle: Style?
  /// Streams of a trial.
  public var count = 8
  /// Seconds of each.
  public var seconds = 60.0
  /// Of the first stream. Seeds that follow are used, too: twice ``count``.
  public var seed: UInt64 = 1000
  /// Trials at most, besides the last comparison.
  public var trials = 20
  /// What is looked for; the other settings stay as the package has them.
  public var tuned: Set<Setting> = [.contextNoise, .feedbackGain, .temperature]
  public var criterion = Criterion.unlikeness
  public var threads: Int
  public var style = ProgressStyle.automatic
  /// Of a search that was stopped: trials that are not made again.
  public var known: [Trial] = []
  /// Hears of each trial that was made; false ends the search, with nothing found.
  public var goesOn: (Trial) throws -> Bool = { _ in true }

  public enum Setting: Sendable, Hashable { case contextNoise, feedbackGain, temperature }

  /// What is made as small as it gets.
  public enum Criterion: String, Sendable, Codable, Hashable {
    /// ``DriftReport/unlikeness``: for those who listen.
    case unlikeness
    /// The Fréchet distance alone, of all stretches of all streams: for a table of that distance.
    case distance
  }

  public init(package: ModelPackage, data: LatentDataset, threads: Int) {
    (self.package, self.data, self.threads) = (package, data, threads)
  }

  /// What one setting was worth.
  public struct Score: Sendable, Codable, Hashable {
    public var settings: GenerationDefaults
    public var unlikeness: Double
    public var frechetDistance: Double
    /// Mean share of stretches outside of what 90 % of real ones have.
    public var shareOutside: Double

    func cost(_ criterion: Criterion) -> Double {
      criterion == .unlikeness ? unlikeness : frechetDistance
    }

    enum CodingKeys: String, CodingKey {
      case settings, unlikeness
      case frechetDistance = "frechet_distance"
      case shareOutside = "share_outside"
    }

    /// In one line, as a person reads it.
    public var text: String {
      String(
        format:
          "temperature %.3g, context noise %.3g, feedback gain %.4g: unlikeness %.2f (Fréchet distance %.3g, %.0f %% outside)",
        settings.temperature, settings.contextNoise, settings.feedbackGain, unlikeness, frechetDistance,
        100 * shareOutside)
    }
  }

  /// A score of the streams from a seed on.
  public struct Trial: Sendable, Codable, Hashable {
    public var seed: UInt64
    public var score: Score
  }

  public struct Outcome: Sendable, Codable, Hashable {
    /// What the package had, and what was found, both on seeds that the search did not see.
    public var before: Score
    public var after: Score
    /// Of the search, in order.
    public var trials: [Score]
    public var criterion: Criterion

    /// Where nothing better was found these are the old ones. Of a style: its factors included.
    public var settings: GenerationDefaults {
      after.cost(criterion) < before.cost(criterion) ? after.settings : before.settings
    }

    public var isBetter: Bool { settings != before.settings }
  }

  /// Nil where Ctrl-C or ``goesOn`` ended it.
  ///
  /// - Throws: ``TrainingError`` for too little music; ``LatentError`` for latents of another codec.
  public func run() throws -> Outcome? {
    try data.index.check(codecHash: package.codec.hash, folder: data.path)
    do { return try search() } catch is Stopped { return nil } catch let error as EvaluationError {
      throw TrainingError(
        "\(error)", "Listen to the package with `legato generate`, and prepare more recordings.")
    }
  }

  private struct Stopped: Error {}

  private func search() throws -> Outcome {
    let engine = CPUEngine(threads: threads)
    let reference = try TuningReference(
      data, codec: package.codec.codec, streams: seconds, threads: threads, engine: engine, style: style)
    let line = ProgressLine("tune", total: trials, unit: "trial", style: style)
    defer { line.finish() }
    line.update(0)
    var scores: [Score] = []
    var search = SettingsSearch()
    let found = try search.run(from: start, axes: axes, budget: trials) { settings in
      let score = try score(settings, seed: seed, reference: reference, engine: engine)
      scores.append(score)
      if style != .quiet { line.message(score.text) }
      line.update(scores.count)
      return score.cost(criterion)
    }
    guard let found, let first = scores.first else { throw Stopped() }
    guard found.settings != start else {
      return Outcome(before: first, after: first, trials: scores, criterion: criterion)
    }
    let others = seed &+ UInt64(count)
    return Outcome(
      before: try score(start, seed: others, reference: reference, engine: engine),
      after: try score(found.settings, seed: others, reference: reference, engine: engine), trials: scores,
      criterion: criterion)
  }

  private var start: GenerationDefaults {
    var start = package.configuration.generation
    if let factors = playedStyle?.factors {
      start.temperature *= factors.temperature
      start.contextNoise *= factors.contextNoise
      start.feedbackGain *= factors.feedbackGain
    }
    return start
  }

  /// A style can only have what a factor makes of the package's setting: nothing of 0.
  private var axes: [SettingsSearch.Axis] {
    // Codes are read as they are.
    let isOfCodes = package.configuration.model.sampler.kind == .codes
    let all = SettingsSearch.axes.filter {
      tuned.contains($0.name) && (!isOfCodes || $0.name == .temperature)
    }
    guard playedStyle != nil else { return all }
    return all.compactMap { axis in
      var axis = axis
      let own = package.configuration.generation[keyPath: axis.setting]
      let high = min(axis.range.upperBound, own * Style.Factors.range.upperBound)
      guard high > axis.range.lowerBound else { return nil }
      axis.range = axis.range.lowerBound...high
      return axis
    }
  }

  /// The played style with factors that give these settings.
  public func style(with settings: GenerationDefaults) -> Style? {
    let own = package.configuration.generation
    func factor(_ setting: KeyPath<GenerationDefaults, Float>) -> Float {
      let (new, old) = (settings[keyPath: setting], own[keyPath: setting])
      // Nothing multiplied is nothing: what the package leaves out, its styles do.
      return old == 0 ? 1 : (new / old * 1000).rounded() / 1000
    }
    return playedStyle?.with(
      Style.Factors(
        feedbackGain: factor(\.feedbackGain), contextNoise: factor(\.contextNoise),
        temperature: factor(\.temperature)))
  }

  private func score(
    _ settings: GenerationDefaults, seed: UInt64, reference: TuningReference, engine: CPUEngine
  ) throws -> Score {
    if let trial = known.first(where: { $0.seed == seed && $0.score.settings == settings }) {
      return trial.score
    }
    let options = (0..<count).map { number in
      var options = package.options(seed: seed &+ UInt64(number))
      if let playedStyle { options.style = playedStyle.with(Style.Factors()) }
      options.temperature = settings.temperature
      options.contextNoise = settings.contextNoise
      options.feedbackGain = settings.feedbackGain
      return options
    }
    let sounds = try MeasuredRollout.all(
      of: package, options, seconds: seconds, stretch: reference.stretch, keepsLatents: false,
      threads: threads,
      check: { if StopSignal.isRequested { throw Stopped() } }
    ).map(\.sound)
    let report = try DriftReport(
      DriftSystem(name: "streams", sounds: sounds), reference: reference.music, engine: engine)
    let score = Score(
      settings: settings, unlikeness: report.unlikeness, frechetDistance: report.distance.frechet.value,
      shareOutside: report.shareOutside)
    guard try goesOn(Trial(seed: seed, score: score)) else { throw Stopped() }
    return score
  }
}
