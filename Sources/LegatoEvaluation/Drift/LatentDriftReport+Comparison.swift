import Foundation
import LegatoAudio

extension LatentDriftReport {
  /// Reports side by side, each with the name of what was measured.
  public typealias Named = (name: String, report: LatentDriftReport)

  /// A table in Markdown: distance of one rollout, mean ± deviation, a column for each report.
  public static func comparison(_ reports: [Named]) -> String {
    func number(_ value: Double) -> String { String(format: "%.3g", value) }
    var lines = [
      "| seconds | " + reports.map(\.name).joined(separator: " | ") + " |",
      "|---|" + reports.map { _ in "---|" }.joined(),
    ]
    guard let longest = reports.max(by: { $0.report.bins.count < $1.report.bins.count })?.report else {
      return ""
    }
    for (index, bin) in longest.bins.enumerated() {
      let cells = reports.map { _, report -> String in
        guard index < report.bins.count, let mean = report.bins[index].rolloutMean else { return "–" }
        return number(mean) + (report.bins[index].rolloutDeviation.map { " ± " + number($0) } ?? "")
      }
      lines.append("| \(number(bin.start))–\(number(bin.end)) | " + cells.joined(separator: " | ") + " |")
    }
    let floors = reports.map { $0.report.rolloutFloor.map(number) ?? "–" }
    lines.append("| real music | " + floors.joined(separator: " | ") + " |")
    return lines.joined(separator: "\n") + "\n"
  }

  /// Distance of one rollout by position: a line with its deviation for each report, and real music beside them.
  public static func chart(_ reports: [Named], title: String) -> Chart {
    func middle(_ bin: Bin) -> Double { (bin.start + bin.end) / 2 }
    var series = reports.map { name, report in
      let bins = report.bins.compactMap { bin in bin.rolloutMean.map { (bin, $0) } }
      return Chart.Series(
        name, x: bins.map { middle($0.0) }, y: bins.map(\.1),
        band: (
          bins.map { max(0, $0.1 - ($0.0.rolloutDeviation ?? 0)) },
          bins.map { $0.1 + ($0.0.rolloutDeviation ?? 0) }
        ))
    }
    let highest = series.flatMap { $0.band?.upper ?? [] }.max() ?? 1
    if let longest = reports.max(by: { $0.report.bins.count < $1.report.bins.count })?.report,
      let floor = longest.rolloutFloor
    {
      let x = longest.bins.map(middle)
      series.append(.init("real music", x: x, y: x.map { _ in floor }, isDashed: true))
    }
    var chart = Chart(
      title: title, xLabel: "seconds from the start", yLabel: "Fréchet distance of one rollout's latents",
      series: series)
    let lowest = series.flatMap(\.y).min() ?? 0
    if lowest > 0, highest > 10 * lowest {
      // Room above for the names, since the bands fill the rest; what is below half the lowest line says nothing.
      chart.yScale = .logarithmic
      chart.yRange = lowest / 2...highest * pow(highest / lowest, 0.5)
      for index in chart.series.indices {
        guard let band = chart.series[index].band else { continue }
        chart.series[index].band = (band.lower.map { max($0, lowest / 2) }, band.upper)
      }
    } else {
      chart.yRange = 0...max(1, highest)
    }
    return chart
  }
}
