import Foundation
import LegatoEvaluation

/// What `legato instruments` says.
struct InstrumentReport: Encodable {
  struct Result: Encodable, Sendable {
    var prompt: String
    /// The prompt's label, and what was heard: in the recording's own continuation, plain and through the codec,
    /// and in the model's.
    var label: String
    var real: String
    var codec: String
    var continuation: String
    /// Of the same three; nil under two seconds.
    var measures: Measures?
  }

  /// How a recording goes on, plain and through the codec, and how the model does.
  struct Measures: Encodable, Sendable {
    var real: MusicMeasure
    var codec: MusicMeasure
    var continuation: MusicMeasure

    /// The median of one figure over several prompts.
    static func medians(_ all: [Measures], of figure: KeyPath<MusicMeasure, Double>) -> [Double] {
      [\Self.real, \.codec, \.continuation].compactMap { which in
        Statistics.median(all.map { $0[keyPath: which][keyPath: figure] })
      }
    }
  }

  var model: String
  var trainingRecordings: Int
  var prompts: Int
  /// Recordings that were too short, silent or of no known label.
  var skipped: Int
  /// Shares that are heard as their label, with Wilson's 95 % interval.
  var real: Estimate?
  var codec: Estimate?
  var continuations: Estimate?
  /// Continuations by the prompt's label and what was heard.
  var confusion: [String: [String: Int]]
  var results: [Result]

  enum CodingKeys: String, CodingKey {
    case model, prompts, skipped, real, codec, continuations, confusion, results
    case trainingRecordings = "training_recordings"
  }

  private var classes: [String]

  init(model: String, classes: [String], results: [Result], skipped: Int, trainingRecordings: Int) {
    (self.model, self.classes, self.results, self.skipped) = (model, classes, results, skipped)
    self.trainingRecordings = trainingRecordings
    prompts = results.count
    func share(_ heard: (Result) -> String) -> Estimate? {
      Statistics.share(results.count { heard($0) == $0.label }, of: results.count)
    }
    (real, codec, continuations) = (share(\.real), share(\.codec), share(\.continuation))
    confusion = [:]
    for result in results { confusion[result.label, default: [:]][result.continuation, default: 0] += 1 }
  }

  var text: String {
    func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }
    func line(_ name: String, _ estimate: Estimate?) -> String {
      guard let estimate, let low = estimate.low, let high = estimate.high else { return name }
      return
        "\(name.padding(toLength: 34, withPad: " ", startingAt: 0)) \(percent(estimate.value)) (\(percent(low)) to \(percent(high)))"
    }
    var lines = [
      "\(prompts) prompts, heard as their own instrument (95 % interval):",
      line("the recordings themselves", real), line("the recordings through the codec", codec),
      line("continuations by \(model)", continuations), "", "continuations, prompts down and heard across:",
    ]
    let columns = classes + (results.contains { $0.continuation == "silence" } ? ["silence"] : [])
    let width = (classes.map(\.count).max() ?? 0) + 2
    let short = columns.map { String($0.prefix(12)) }
    lines.append("".padded(width) + short.map { $0.padded(14) }.joined())
    for name in classes {
      guard let row = confusion[name] else { continue }
      lines.append(
        name.padding(toLength: width, withPad: " ", startingAt: 0)
          + columns.map { "\(row[$0] ?? 0)".padded(14) }.joined())
    }
    lines += medians(width: width)
    if skipped > 0 {
      lines.append("\(skipped) recordings were left out: too short, silent, or of no known instrument")
    }
    return lines.joined(separator: "\n")
  }

  /// What is heard as its instrument may still be out of tune, faint or stuck.
  private func medians(width: Int) -> [String] {
    let figures: [(name: String, value: KeyPath<MusicMeasure, Double>, digits: Int)] = [
      ("level, dBFS", \.levelDBFS, 1), ("pitch salience", \.pitchSalience, 2),
      ("onsets a second", \.onsetsPerSecond, 1), ("change a second", \.changePerSecond, 2),
    ]
    let groups = classes.map { name in (name, results.filter { $0.label == name }) } + [("all", results)]
    let rows = groups.compactMap { name, members -> String? in
      let measured = members.compactMap(\.measures)
      guard !measured.isEmpty else { return nil }
      return name.padding(toLength: width, withPad: " ", startingAt: 0)
        + figures.map { figure in
          Measures.medians(measured, of: figure.value).map { String(format: "%.\(figure.digits)f", $0) }
            .joined(separator: " ").padded(20)
        }.joined()
    }
    guard !rows.isEmpty else { return [] }
    return [
      "", "medians: recordings, the same through the codec, continuations",
      "".padded(width) + figures.map { $0.name.padded(20) }.joined(),
    ] + rows
  }
}
