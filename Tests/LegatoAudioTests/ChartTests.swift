import Foundation
import Testing

@testable import LegatoAudio

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct ChartTests {
  private var chart: Chart {
    let x = (0...200).map { Double($0) * 50 }
    let y = x.map { 2.2 * exp(-$0 / 2500) + 0.4 + 0.02 * sin($0) }
    var chart = Chart(
      title: "Validation loss <flow> & drift", xLabel: "step", yLabel: "loss",
      series: [
        .init("noise 0.7", x: x, y: y, band: (y.map { $0 - 0.1 }, y.map { $0 + 0.1 })),
        .init("without", x: x, y: y.map { $0 * 1.3 }, isDashed: true),
        .init("checkpoints", x: [2000, 4000, 6000, 8000], y: [1.5, 1.0, 0.8, 0.7], mark: .points),
      ])
    chart.xRange = 0...10_000
    return chart
  }

  @Test func pngIsValid() throws {
    let png = chart.png()
    let decoded = try decodePNG(png)
    #expect(decoded.width == 900 && decoded.height == 540)
    #expect(decoded.pixels.contains(Chart.colors[0]) && decoded.pixels.contains(Chart.colors[2]))
    #expect(png.count < 200_000)
  }

  @Test func svgIsWellFormed() throws {
    let svg = chart.svg()
    let parser = XMLParser(data: Data(svg.utf8))
    #expect(parser.parse())
    #expect(svg.contains("&lt;flow&gt; &amp; drift"))
    #expect(svg.components(separatedBy: "<polyline").count - 1 == 4)
    #expect(!svg.contains("nan") && !svg.contains("inf"))
  }

  @Test func logarithmicAxisAndGaps() throws {
    var chart = Chart(series: [
      .init("a", x: [0, 1, 10, 100, 1000], y: [1, 0.1, .nan, 0.001, -1], mark: .linePoints)
    ])
    chart.xScale = .logarithmic
    chart.yScale = .logarithmic
    let svg = chart.svg()
    // Of five points, two have no logarithm and one is missing; the third mark is the legend's.
    #expect(svg.components(separatedBy: "r=\"3.5\"").count - 1 == 3)
    #expect(!svg.contains("nan"))
    _ = try decodePNG(chart.png())
  }

  /// More lines than colours: the ninth is dashed, and a long legend stands beside the plot instead of on it.
  @Test func manyLinesStayApart() throws {
    func svg(_ count: Int) -> String {
      Chart(series: (0..<count).map { .init("line \($0)", x: [0, 1], y: [Double($0), 0]) }).svg()
    }
    func dashes(_ svg: String) -> Int { svg.components(separatedBy: "stroke-dasharray").count - 1 }
    #expect(dashes(svg(8)) == 0 && dashes(svg(9)) == 2)
    // Lines end where the legend begins.
    func ends(_ svg: String) throws -> [Double] {
      try svg.matches(of: /points="[^"]* ([0-9.]+),[0-9.]+"/).map { try #require(Double($0.output.1)) }
    }
    let (few, many) = (try ends(svg(6)), try ends(svg(9)))
    // The first lines are the plot's, the last ones the legend's.
    #expect(few[0] > 850 && few.suffix(6).allSatisfy { $0 < few[0] })
    #expect(many[0] < 800 && many.suffix(9).allSatisfy { $0 > many[0] + 16 })
  }

  @Test func nothingToDraw() throws {
    for series in [[], [Chart.Series("a", x: [], y: [])], [Chart.Series("a", x: [3], y: [3])]] {
      let chart = Chart(title: "empty", series: series)
      #expect(XMLParser(data: Data(chart.svg().utf8)).parse())
      _ = try decodePNG(chart.png())
    }
  }

  @Test func aLongCurveIsThinned() {
    let x = (0..<100_000).map(Double.init)
    let svg = Chart(series: [.init("long", x: x, y: x.map { sin($0) })]).svg()
    #expect(svg.utf8.count < 120_000)
  }

  @Test func writesByExtension() throws {
    try withFolder { folder in
      try chart.write(to: folder + "/a.svg")
      try chart.write(to: folder + "/a.png")
      #expect(try contents(of: folder) == ["a.png", "a.svg"])
      #expect(try String(contentsOfFile: folder + "/a.svg", encoding: .utf8) == chart.svg())
    }
  }
}
