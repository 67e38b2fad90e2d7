import Foundation
import LegatoModels

extension DriftStudy {
  /// The report, short enough to be read; `picture` is the name of its picture.
  public func markdown(picture: String) -> String {
    let floor = systems.compactMap(\.report.floor).first
    var lines = [
      "# \(title)", "",
      "\(method) Compared with \(reference.stretches) stretches of \(Estimate.digits(reference.stretchSeconds)) s of "
        + "\(reference.recordings) real recordings (\(reference.source)): log-mel patches of 0.96 s at \(LogMelAnalyser.sampleRate) Hz on "
        + "\(reference.components) principal components of theirs (\(Self.percent(reference.explainedVariance)) of the variance; "
        + "SHA-256 \(reference.embedding.prefix(16))); MMD with a Gaussian "
        + "kernel of σ = \(Estimate.digits(reference.bandwidth)), the median distance between real patches.",
      "",
      "![distance from real music by position](\(picture))", "",
    ]
    for warning in warnings { lines += ["Caution: \(warning).", ""] }
    lines += [
      "Fréchet distance of all sounds together, 95 % intervals from leaving out sounds:", "",
      "| | first stretch | last stretch | whole | ÷ codec | slope a minute | not like real music in | farthest sound |",
      "|---|---|---|---|---|---|---|---|",
    ]
    lines += systems.map { Self.row($0.report, ratio: $0.ratio) }
    lines.append(Self.row(real, ratio: nil))
    lines += reconstructions.map { Self.row($0.report, ratio: nil) }
    if let floor {
      lines.append(
        "| any \(floor.recordings) real recordings, mean | \(Estimate.digits(floor.frechet)) | "
          + "\(Estimate.digits(floor.frechet)) | | | | | |")
    }
    lines += groupLines
    for system in systems { lines += sections(of: system) }
    for reconstruction in reconstructions {
      lines += ["", "## \(reconstruction.report.name)", ""] + table(of: reconstruction.report)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func row(_ report: DriftReport, ratio: Estimate?) -> String {
    let flags = report.flags
    let cells = [
      report.name, text(report.stretches.first?.distance.frechet),
      text(report.stretches.last?.distance.frechet), text(report.distance.frechet), text(ratio),
      text(report.frechetSlope), flags.isEmpty ? "nothing" : flags.joined(separator: "; "),
      "\(report.sounds[report.worst]): \(Estimate.digits(report.soundDistances[report.worst]))",
    ]
    return "| " + cells.joined(separator: " | ") + " |"
  }

  private var groupLines: [String] {
    guard !groups.isEmpty else { return [] }
    return [
      "",
      "Models that differ only in their training's seed, mean (of distances and ratios the geometric one) and 95 % interval over the trainings:",
      "",
      "| | models | first stretch | last stretch | whole | ÷ codec | slope a minute |",
      "|---|---|---|---|---|---|---|",
    ]
      + groups.map { group in
        let cells = [
          group.name, "\(group.models)", Self.text(group.firstStretch), Self.text(group.lastStretch),
          Self.text(group.distance), Self.text(group.ratio), Self.text(group.slope),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
      }
  }

  private func sections(of system: System) -> [String] {
    let report = system.report
    var lines = [
      "", "## \(report.name)", "",
      "\(system.model) (weights' SHA-256 \(system.weights.prefix(16)), codec \(system.codec)), \(system.settings.summary)\(system.style.map { ", \($0)" } ?? ""), \(report.sounds.count) sounds.",
      "",
    ]
    lines += table(of: report)
    if let copying = report.copying {
      lines += [
        "",
        "Copying: \(Self.percent(copying.share)) of \(copying.excerpts) excerpts of 4.8 s are nearer to a training "
          + "excerpt than 99 % of real music is (\(Estimate.digits(copying.threshold))). The nearest, at "
          + "\(Estimate.digits(copying.closest.distance)): \(copying.sound) at \(Self.time(copying.closest.time)) and "
          + "\(copying.closest.recording) at \(Self.time(copying.closest.recordingTime)).",
      ]
    }
    if let accumulation = report.accumulation {
      lines += [
        "",
        "FADacc, by our own definition: the Fréchet distance of the last stretch, from \(Self.time(accumulation.lastStart)) on, is "
          + "\(Self.text(accumulation.last)); that of the first is \(Self.text(accumulation.first)); last less first "
          + "\(Self.text(accumulation.difference)). \(accumulation.sounds) sounds together in both.",
      ]
    }
    let hasLatents = report.latents != nil
    lines += [
      "", "| from | Fréchet distance | MMD |" + (hasLatents ? " latents |" : ""),
      "|---|---|---|" + (hasLatents ? "---|" : ""),
    ]
    for stretch in report.stretches {
      lines.append(
        "| \(Self.time(stretch.start)) | \(Self.text(stretch.distance.frechet)) | "
          + "\(Self.text(stretch.distance.discrepancy)) |"
          + (hasLatents ? " \(Self.text(stretch.latents?.frechet)) |" : ""))
    }
    return lines
  }

  private func table(of report: DriftReport) -> [String] {
    var lines = [
      "| | real 5 – 50 – 95 % | first stretch | last stretch | stretches inside | outside (by chance) | slope a minute | like real music |",
      "|---|---|---|---|---|---|---|---|",
    ]
    let (first, last) = (report.stretches.first, report.stretches.last)
    func line(_ cells: [String]) { lines.append("| " + cells.joined(separator: " | ") + " |") }
    line([
      "Fréchet distance of all",
      report.floor.map { "mean \(Estimate.digits($0.frechet)), 95 % \(Estimate.digits($0.frechetHigh))" }
        ?? "–",
      Self.text(first?.distance.frechet), Self.text(last?.distance.frechet),
      "\(report.distanceStretchesInside) of \(report.stretches.count)", "", Self.text(report.frechetSlope),
      report.distanceIsInside.map { $0 ? "yes" : "no" } ?? "–",
    ])
    line([
      "MMD of all", report.floor?.discrepancy.map(Estimate.digits) ?? "–",
      Self.text(first?.distance.discrepancy),
      Self.text(last?.distance.discrepancy), "", "", Self.text(report.discrepancySlope), "",
    ])
    if report.latents != nil {
      line([
        "Fréchet distance of latents", latents?.floor.map { Estimate.digits($0.frechet) } ?? "–",
        Self.text(first?.latents?.frechet), Self.text(last?.latents?.frechet), "", "",
        Self.text(report.latentsSlope), "",
      ])
    }
    for measure in DriftMeasure.allCases {
      guard let summary = report.measures[measure], let spread = reference.spreads[measure] else { continue }
      let there = report.stretches.compactMap { $0.measures[measure]?.median }
      line([
        measure.label,
        [spread.low, spread.median, spread.high].map(Estimate.digits).joined(separator: " – "),
        there.first.map(Estimate.digits) ?? "–", there.last.map(Estimate.digits) ?? "–",
        "\(summary.stretchesInside) of \(summary.stretches)",
        (summary.shareOutside.map(Self.percent) ?? "–")
          + (summary.shareAllowed.map { " (\(Self.percent(min(1, $0))))" } ?? ""), Self.text(summary.slope),
        summary.isInside ? "yes" : "**no**",
      ])
    }
    return lines
  }

  /// A line for a terminal.
  public func summary(of system: System) -> String {
    let report = system.report
    let slope = report.frechetSlope.map { ", \(Self.text($0)) a minute" } ?? ""
    let ratio = system.ratio.map { ", \(Self.text($0)) times the codec's" } ?? ""
    let flags = report.flags
    return "\(report.name): Fréchet distance \(Self.text(report.distance.frechet))\(ratio)\(slope); "
      + (flags.isEmpty ? "like real music" : "not like real music in " + flags.joined(separator: "; "))
      + "; farthest \(report.sounds[report.worst])"
  }

  static func percent(_ value: Double) -> String { String(format: "%.0f %%", value * 100) }

  static func time(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    let rest = String(format: "%02d", whole % 60)
    return whole < 3600
      ? "\(whole / 60):\(rest)" : "\(whole / 3600):\(String(format: "%02d", whole / 60 % 60)):\(rest)"
  }

  static func text(_ estimate: Estimate?) -> String { estimate?.text ?? "–" }
}
