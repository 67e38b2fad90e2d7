import LegatoTensor

/// Charts of one size on one sheet, as SVG: row by row.
public struct ChartSheet: Sendable {
  /// Row by row; every chart as large as the first.
  public var charts: [Chart]
  public var columns: Int

  public init(_ charts: [Chart], columns: Int = 2) {
    precondition(!charts.isEmpty && columns > 0, "ChartSheet: \(charts.count) charts in \(columns) columns")
    (self.charts, self.columns) = (charts, columns)
  }

  /// The sheet as an SVG document.
  public func svg() -> String {
    let (width, height) = (charts[0].width, charts[0].height)
    let across = min(columns, charts.count)
    var drawing = SVGDrawing(
      width: width * across, height: height * ((charts.count + across - 1) / across))
    for (index, chart) in charts.enumerated() {
      var shifted = ShiftedDrawing(
        base: drawing, x: width * (index % across), y: height * (index / across))
      chart.draw(on: &shifted)
      drawing = shifted.base
    }
    return drawing.document
  }

  /// Writes the sheet aside, then renames it. Throws ``AudioError``.
  public func write(to path: String) throws {
    try AudioError.writing { try DurableFile.write(Array(svg().utf8), to: path) }
  }
}

/// Draws elsewhere on a larger drawing.
private struct ShiftedDrawing<Base: Drawing>: Drawing {
  var base: Base
  let x: Int
  let y: Int

  private func shifted(_ point: Point) -> Point { (point.x + Double(x), point.y + Double(y)) }

  private func shifted(_ panel: Panel) -> Panel {
    Panel(
      x: panel.x.lowerBound + x..<panel.x.upperBound + x, y: panel.y.lowerBound + y..<panel.y.upperBound + y)
  }

  mutating func rectangle(
    x left: Double, y top: Double, width: Double, height: Double, fill: UInt32, opacity: Double
  ) {
    base.rectangle(
      x: left + Double(x), y: top + Double(y), width: width, height: height, fill: fill, opacity: opacity)
  }

  mutating func polyline(_ points: [Point], width: Double, color: UInt32, isDashed: Bool, clip: Panel) {
    base.polyline(
      points.map(shifted), width: width, color: color, isDashed: isDashed, clip: shifted(clip))
  }

  mutating func circle(_ center: Point, radius: Double, color: UInt32, clip: Panel) {
    base.circle(shifted(center), radius: radius, color: color, clip: shifted(clip))
  }

  mutating func band(
    _ points: [(x: Double, low: Double, high: Double)], color: UInt32, opacity: Double, clip: Panel
  ) {
    base.band(
      points.map { ($0.x + Double(x), $0.low + Double(y), $0.high + Double(y)) }, color: color,
      opacity: opacity, clip: shifted(clip))
  }

  mutating func text(
    _ text: String, at point: Point, anchor: TextAnchor, color: UInt32, size: TextSize, upwards: Bool
  ) {
    base.text(text, at: shifted(point), anchor: anchor, color: color, size: size, upwards: upwards)
  }
}
