import Foundation
import LegatoAudio

extension DriftStudy {
  /// The picture: distance by position, and small ones of what it is made of. Grey is what real music spans.
  public func picture() -> ChartSheet {
    var charts = [distances]
    for measure in [DriftMeasure.level, .centroid, .onsets, .salience, .novelty] {
      if let chart = chart(of: measure) { charts.append(chart) }
    }
    return ChartSheet(charts, columns: 2)
  }

  private static let grey: UInt32 = 0x8A8D94
  private static let (width, height) = (640, 400)

  private func middle(_ stretch: DriftReport.Stretch) -> Double { (stretch.start + stretch.end) / 120 }

  /// Of the longest sounds.
  private var minutes: Double { max(1e-3, systems.flatMap(\.report.stretches).map(\.end).max() ?? 60) / 60 }

  /// A line for each group: models of several trainings with what they span, others with their interval.
  private var distances: Chart {
    var series = Self.groupNames(systems).map { name -> Chart.Series in
      let members = systems.filter { $0.group == name }.map(\.report.stretches)
      let count = members.map(\.count).min() ?? 0
      let x = (0..<count).map { middle(members[0][$0]) }
      let values = (0..<count).map { index in members.map { $0[index].distance.frechet.value } }
      let means = values.map { Statistics.mean($0) ?? .nan }
      let band =
        members.count > 1
        ? (lower: values.map { $0.min() ?? .nan }, upper: values.map { $0.max() ?? .nan })
        : (
          lower: members[0].map { $0.distance.frechet.low ?? $0.distance.frechet.value },
          upper: members[0].map { $0.distance.frechet.high ?? $0.distance.frechet.value }
        )
      return Chart.Series(name, x: x, y: means, band: band)
    }
    let lines = series.flatMap(\.y).filter(\.isFinite)
    let (first, last) = (0.0, minutes)
    if let floor = systems.compactMap(\.report.floor).first {
      series.append(
        .init(
          "real music", x: [first, last], y: [floor.frechet, floor.frechet], color: Self.grey, isDashed: true
        ))
    }
    if let codec = reconstructions.first?.report.distance.frechet.value {
      series.append(
        .init(
          "real music through the codec", x: [first, last], y: [codec, codec], color: Self.grey))
    }
    let all = series.flatMap(\.y).filter { $0.isFinite && $0 > 0 }
    var chart = Chart(
      title: title, xLabel: "minutes from the start", yLabel: "Fréchet distance from real music",
      series: series, width: Self.width, height: Self.height)
    chart.xRange = 0...minutes
    if let lowest = all.min(), let highest = lines.max(), highest > 8 * lowest {
      chart.yScale = .logarithmic
      chart.yRange = lowest / 2...highest * pow(highest / lowest, 1.2)
      for index in chart.series.indices {
        guard let band = chart.series[index].band else { continue }
        chart.series[index].band = (band.lower.map { max($0, lowest / 2) }, band.upper)
      }
    } else {
      chart.yRange = 0...1.6 * max(all.max() ?? 1, 1e-9)
    }
    return chart
  }

  /// Median over sounds; the band is what real stretches span.
  private func chart(of measure: DriftMeasure) -> Chart? {
    guard let spread = reference.spreads[measure] else { return nil }
    var series: [Chart.Series] = []
    for system in systems {
      let known = system.report.stretches.compactMap { stretch in
        stretch.measures[measure].map { (middle(stretch), $0.median) }
      }
      series.append(.init("", x: known.map(\.0), y: known.map(\.1), color: color(of: system)))
    }
    guard series.contains(where: { !$0.x.isEmpty }) else { return nil }
    series.insert(
      .init(
        "", x: [0, minutes], y: [spread.median, spread.median],
        band: (lower: [spread.low, spread.low], upper: [spread.high, spread.high]), color: Self.grey,
        isDashed: true), at: 0)
    var chart = Chart(
      title: measure.label, xLabel: "minutes from the start", series: series, width: Self.width,
      height: Self.height)
    chart.xRange = 0...minutes
    return chart
  }

  /// That of its group's line in the first chart.
  private func color(of system: System) -> UInt32 {
    let colors = Chart.colors
    return colors[(Self.groupNames(systems).firstIndex(of: system.group) ?? 0) % colors.count]
  }
}
