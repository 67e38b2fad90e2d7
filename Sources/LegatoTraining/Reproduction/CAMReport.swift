import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoModels

/// A ``CAMReproduction`` as a page: table, drift plot, settings.
public struct CAMReport: Sendable {
  public var experiment: CAMExperiment
  public var outcome: CAMReproduction.Outcome

  public init(_ experiment: CAMExperiment, _ outcome: CAMReproduction.Outcome) {
    (self.experiment, self.outcome) = (experiment, outcome)
  }

  private var rows: [(row: CAMExperiment.Row, results: [CAMResult])] {
    CAMExperiment.rows.compactMap { row in
      let results = outcome.results.filter { $0.row == row.name }
      return results.isEmpty ? nil : (row, results)
    }
  }

  /// In Markdown. `picture`: the plot's file, as the page names it.
  public func markdown(picture: String) -> String {
    let (count, seconds, stretch) = experiment.playing
    let smoke =
      experiment.scale == .toy
      ? "\n**Smoke: it shows that everything runs, and supports no claim.**\n" : ""
    return """
      # CAM against its baselines, \(experiment.scale.rawValue)
      \(smoke)
      `legato reproduce cam --scale \(experiment.scale.rawValue)`: every row is a model of one backbone on the same \(number(experiment.hours.training)) hours of \(experiment.instruments.text) (`legato corpus`; nine tenths of them to learn from),
      with as many updates, each at the temperature and context noise (where it has one) of the least distance (or, where that is not the less on other seeds, of the start) in at most \(experiment.tuning.trials) trials of \(experiment.tuning.count) seeds and \(number(experiment.tuning.seconds)) s, on the training's music and not what is measured with (systems of more steps than \(experiment.tuning.mostSteps) with these, in the search and when they play: a temperature is of its steps). Each plays \(number(seconds)) s from \(count) seeds. Distances
      are Fréchet distances of log-mel patches from recordings that no training saw, as the codec gives them back: of the first \(number(stretch)) s of all seeds together, and of the last whole stretch of as many\(bounds). The last is **FADacc** as Legato
      defines it; it is not the paper's, whose definition is not published. Latents: the same of the codec's latents, which know nothing of patches.\(counts)

      \(tables)
      \(real)
      \(material)
      \(plot(picture))
      ## What the streams are

      \(streams)

      ## Settings

      \(settings)

      \(losses)\(missing)\(warnings)
      """
  }

  private func number(_ value: Double) -> String { String(format: "%g", value) }

  /// By the kind of interval, which are not to be held against each other; sequences that know nothing of each other have no first and no
  /// last stretch, and no place among them.
  private var tables: String {
    let streams = rows.filter(\.row.streams)
    let parts = [
      (
        "Several trainings: geometric mean and 95 % interval (Student, of logarithms) over training seeds.",
        streams.filter { $0.results.count > 1 }
      ),
      (
        "One training: 95 % interval over its streams (jackknife), which knows nothing of another training.",
        streams.filter { $0.results.count == 1 }
      ),
    ]
    var text = ""
    for (title, rows) in parts where !rows.isEmpty { text += "\(title)\n\n\(table(rows))\n\n" }
    for (row, results) in rows where !row.streams {
      func mean(_ values: [Double]) -> String { Estimate(geometricMeanOf: values)?.text ?? "–" }
      let distance = mean(results.compactMap { $0.average?.value })
      let latents = mean(results.compactMap { $0.averageLatents?.value })
      text +=
        "\(row.text): \(distance), of latents \(latents); mean over all stretches, since no stretch comes after another.\n\n"
    }
    return text
  }

  private func table(_ rows: [(row: CAMExperiment.Row, results: [CAMResult])]) -> String {
    let head = """
      | system | training seeds | first | last: FADacc | last ÷ first | latents, first | latents, last | stretches like real music |
      |---|---|---|---|---|---|---|---|
      """
    let lines = rows.map { row, results in
      func mean(_ value: (CAMResult) -> Estimate?) -> String {
        let found = results.compactMap(value)
        return (found.count == 1 ? found[0] : Estimate(geometricMeanOf: found.map(\.value)))?.text ?? ""
      }
      let stretches = results.reduce(0) { $0 + $1.report.stretches.count }
      let inside = results.reduce(0) { $0 + $1.report.distanceStretchesInside }
      return "| \(row.text) | \(results.count) | \(mean(\.first)) | \(mean(\.last)) | "
        + "\(mean(\.growth)) | "
        + "\(mean(\.firstLatents)) | \(mean(\.lastLatents)) | \(inside) of \(stretches) |"
    }
    return ([head] + lines).joined(separator: "\n")
  }

  /// Of what a distance in the table is made.
  private var counts: String {
    guard let stretch = outcome.results.first?.report.stretches.first else { return "" }
    let found = outcome.results.flatMap(\.report.stretches).compactMap(\.latents?.samples)
    var latents = ""
    if let least = found.min(), let most = found.max() {
      latents = " and \(least)\(least == most ? "" : " to \(most)") latents"
    }
    return
      " Of each training seed a stretch is \(stretch.distance.samples) patches\(latents) of \(stretch.distance.units) streams."
  }

  /// Where the last stretch lies: what is left after the last whole one is not measured.
  private var bounds: String {
    guard let last = outcome.results.first?.report.stretches.last else { return "" }
    return String(format: " (%.1f to %.1f s)", last.start, last.end)
  }

  /// What the first and the last stretch are to be held against: as many sounds, a stretch of each.
  private var real: String {
    guard let floor = outcome.real.floor else { return "" }
    let (mean, high) = (Estimate.digits(floor.frechet), Estimate.digits(floor.frechetHigh))
    var lines = [
      "Stretches of \(floor.recordings) real recordings against the others: \(mean), 95 % of groups at most \(high)."
    ]
    if let (before, after, latents) = outcome.recorded {
      lines.append(
        "Of one such group: \(Estimate.digits(after)), of its latents \(Estimate.digits(latents)); as it was before the codec: \(Estimate.digits(before))."
      )
    }
    let quantised = outcome.results.compactMap(\.quantised)
    if let mean = Estimate(meanOf: quantised) {
      lines.append(
        "That group through the codes of the discrete system and back, without a model: \(mean.text).")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var material: String {
    let material = outcome.material
    return
      "Measured on latents \(material.heldOut.prefix(16)), trained on \(material.training.prefix(16)), decoded by the codec \(material.codec.prefix(16)), in patches \(material.embedding.prefix(16)) (fingerprints and SHA-256): another page's distances compare with these where the first three are the same. The last is then fitted on the same music, and is another where a processor rounds otherwise."
  }

  /// A pooled distance is led by its worst streams, and blind to what patches do not show.
  private var streams: String {
    let measures: [DriftMeasure] = [.level, .centroid, .onsets, .salience, .entropy, .change, .silence]
    let real = outcome.real
    let limit = (Statistics.median(real.soundDistances) ?? 0) * Self.lostFactor
    func line(_ name: String, _ reports: [DriftReport], mended: String) -> String {
      let distances = reports.map(\.soundDistances)
      let all = distances.joined()
      let lost = distances.map { $0.count { $0 > limit } }
      let trainings = lost.count { $0 > 0 }
      let cells =
        [
          Estimate.spread(of: distances.compactMap { Statistics.median($0) }),
          all.max().map(Estimate.digits) ?? "",
          "\(lost.reduce(0, +)) of \(all.count)"
            + (lost.count > 1 && trainings > 0 ? ", in \(trainings) of \(lost.count)" : ""), mended,
        ]
        + measures.map { measure in
          Estimate.spread(of: reports.compactMap { $0.measures[measure]?.shareOutside })
        }
      return "| \(name) | \(cells.joined(separator: " | ")) |"
    }
    let lines = rows.map { row, results in
      let (recoveries, failures) = results.reduce((0, 0)) {
        ($0.0 + ($1.recoveries ?? 0), $0.1 + ($1.failures ?? 0))
      }
      return line(
        row.name, results.map(\.report),
        mended: row.streams ? "\(recoveries)" + (failures > 0 ? ", \(failures) in vain" : "") : "")
    }
    return """
      A stream by itself, all of its stretches: the Fréchet distance of the median one and of the farthest; how many are lost, farther than \(number(Self.lostFactor)) times the median real recording (a whole one, of up to \(number(experiment.maximumMinutes)) minutes, which keeps one style and so may lie farther from all music than a blurred stream); and how often a stream went back to a good state, since what it drew was beyond all music. Then the share of stretches outside of what 90 % of real ones have, in what a distance of patches does not tell. Of several training seeds: mean, and in brackets the least and the most of them.

      | system | median stream | farthest | lost | went back | \(measures.map(\.label).map { $0.prefix { $0 != "," } }.joined(separator: " | ")) |
      |---\(String(repeating: "|---", count: measures.count + 4))|
      \(([line("real music", [real], mended: "")] + lines).joined(separator: "\n"))
      """
  }

  /// Of the median real recording's distance.
  private static let lostFactor = 10.0

  private func plot(_ picture: String) -> String {
    outcome.results.isEmpty ? "" : "\n![Distance from real music by position](\(picture))\n"
  }

  private var settings: String {
    let head = """
      | system | seed | first → last | parameters | updates | temperature, context noise, steps | minutes: training, settings, playing | hardware |
      |---|---|---|---|---|---|---|---|
      """
    let lines = rows.flatMap { row, results in
      results.sorted { $0.seed < $1.seed }.map { result in
        func minutes(_ seconds: Double) -> String { Estimate.digits(seconds / 60) }
        let training = result.seconds.training.map(minutes) ?? "shared"
        let parameters = String(format: "%.2f M", Double(result.parameters) / 1e6)
        let played = result.settings
        let hasSteps = (try? experiment.model(row))?.sampler.kind.hasSteps ?? true
        func distance(_ value: Estimate?) -> String { value.map { Estimate.digits($0.value) } ?? "–" }
        let distances =
          row.streams
          ? "\(distance(result.first)) → \(distance(result.last))" : "\(distance(result.average)) on average"
        return "| \(row.name) | \(result.seed) | \(distances) | \(parameters) | \(result.updates) | "
          + "\(played.temperature), \(played.contextNoise)\(hasSteps ? ", \(played.steps)" : "") | "
          + "\(training), \(minutes(result.seconds.tuning)), \(minutes(result.seconds.measuring)) | \(result.hardware) |"
      }
    }
    return ([head] + lines).joined(separator: "\n")
      + "\n\nMinutes are wall time, of whatever else the machine did, too."
  }

  /// A line for each objective: figures of two do not compare.
  private var losses: String {
    var lines: [(name: String, text: String)] = []
    for (row, results) in rows {
      guard let model = try? experiment.model(row) else { continue }
      let name =
        row.streams ? model.sampler.kind.lossText : "\(model.sampler.kind.lossText), of whole sequences"
      for result in results.sorted(by: { $0.seed < $1.seed }) {
        let values = ["validation_loss", "validation_noised"].compactMap { result.losses[$0] }
        let text = "\(row.name) \(result.seed): \(values.map(Estimate.digits).joined(separator: ", "))"
        if let index = lines.firstIndex(where: { $0.name == name }) {
          lines[index].text += "; " + text
        } else {
          lines.append((name, text))
        }
      }
    }
    guard !lines.isEmpty else { return "" }
    return
      ([
        "## Losses", "",
        "Held out, after a clean past and after one as noised as in training, by row and seed:", "",
      ]
      + lines.map { "- \($0.name): \($0.text)" }).joined(separator: "\n") + "\n"
  }

  private var missing: String {
    guard !outcome.missing.isEmpty || !outcome.failures.isEmpty else { return "" }
    return "\n## Still to be done\n"
      + (outcome.missing.isEmpty
        ? "" : "\nBy the same command: \(outcome.missing.joined(separator: "; ")).\n")
      + outcome.failures.map { "\nFailed: \($0)\n" }.joined()
  }

  private var warnings: String {
    var all = outcome.warnings
    for warning in outcome.results.flatMap(\.report.warnings) where !all.contains(warning) {
      all.append(warning)
    }
    return all.isEmpty ? "" : "\n## Cautions\n\n" + all.map { "- \($0)\n" }.joined()
  }

  /// Distance by position, a line for each system, a band from the lowest to the highest of several seeds.
  public var picture: Chart {
    var series = rows.filter(\.row.streams).map { row, results in
      let count = results.map(\.report.stretches.count).min() ?? 0
      let x = (0..<count).map {
        (results[0].report.stretches[$0].start + results[0].report.stretches[$0].end) / 2
      }
      let values = (0..<count).map { index in
        results.map { $0.report.stretches[index].distance.frechet.value }
      }
      return Chart.Series(
        row.name, x: x, y: values.map { Estimate(geometricMeanOf: $0)?.value ?? 0 },
        band: results.count > 1 ? (values.map { $0.min() ?? 0 }, values.map { $0.max() ?? 0 }) : nil)
    }
    if let floor = outcome.real.floor, let first = series.first, let last = first.x.last {
      series.append(
        .init(
          "real music", x: [0, last], y: [floor.frechet, floor.frechet], color: 0x16181D, isDashed: true))
    }
    var chart = Chart(
      title: "Distance from real music by position", xLabel: "seconds from the start",
      yLabel: "Fréchet distance of log-mel patches", series: series)
    chart.yScale = .logarithmic
    return chart
  }
}

extension SamplerKind {
  /// What its training's loss is, and in what unit.
  fileprivate var lossText: String {
    switch self {
    case .flow: "mean squared error of a flow's velocity"
    case .flowMap: "mean squared error of a flow map's velocity, with its distillation"
    case .diffusion: "mean squared error of a diffusion's noise"
    case .mixture: "negative log-likelihood of a mixture, nats a dimension"
    case .codes: "cross-entropy of codes, nats a code"
    }
  }
}
