#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension Chart {
  /// Colours that stay apart on paper, on screens and for most colour-blind readers.
  public static let colors: [UInt32] = [
    0x3B5BDB, 0xE8590C, 0x0C8A5F, 0xC2255C, 0x8250C4, 0x9A7B00, 0x1C8FB8, 0x5C5F66,
  ]
  private static let gridColor: UInt32 = 0xE4E6EB
  private static let bandOpacity = 0.18

  func draw(on drawing: inout some Drawing) {
    let xAxis = axis(xRange, xScale, padding: 0) { $0.x }
    let yAxis = axis(yRange, yScale, padding: 0.05) { series in
      series.y + (series.band.map { $0.lower + $0.upper } ?? [])
    }
    let yTicks = yAxis.ticks(6)
    let yTexts = yTicks.map(AxisLabel.number)
    let letters = yTexts.map(\.count).max() ?? 1
    let left = (yLabel.isEmpty ? 16 : 40) + 12 * letters + 10
    let top = title.isEmpty ? 18 : 48
    let right = isLegendBeside ? Int(legendSize.width) + 32 : 24
    let plot = Panel(x: left..<max(left + 40, width - right), y: top..<height - (xLabel.isEmpty ? 40 : 66))
    drawGrid(xAxis, yAxis, yTicks, yTexts, plot, on: &drawing)
    if !title.isEmpty {
      drawing.text(
        fitting(title, plot.width), at: (Double(plot.x.lowerBound), 30), anchor: .start, color: Style.ink,
        size: .title, upwards: false)
    }
    for (index, series) in series.enumerated() {
      draw(
        series, color: series.color ?? Self.colors[index % Self.colors.count], isDashed: isDashed(index),
        xAxis, yAxis, plot, on: &drawing)
    }
    drawLegend(plot, xAxis, yAxis, on: &drawing)
  }

  private func drawGrid(
    _ xAxis: Axis, _ yAxis: Axis, _ yTicks: [Double], _ yTexts: [String], _ plot: Panel,
    on drawing: inout some Drawing
  ) {
    let (x0, y1) = (Double(plot.x.lowerBound), Double(plot.y.upperBound))
    var lastRow = Double.infinity
    for (tick, text) in zip(yTicks, yTexts) {
      let y = row(tick, yAxis, plot).rounded()
      drawing.rectangle(x: x0, y: y, width: Double(plot.width), height: 1, fill: Self.gridColor, opacity: 1)
      if lastRow - y < 18 { continue }
      drawing.text(text, at: (x0 - 10, y + 7), anchor: .end, color: Style.ink, size: .normal, upwards: false)
      lastRow = y
    }
    var lastEnd = -Double.infinity
    for tick in xAxis.ticks(max(2, plot.width / 110)) {
      let x = column(tick, xAxis, plot).rounded()
      drawing.rectangle(
        x: x, y: Double(plot.y.lowerBound), width: 1, height: Double(plot.height), fill: Self.gridColor,
        opacity: 1)
      let text = AxisLabel.number(tick)
      let half = Double(BitmapFont.width(text))
      if x - half < lastEnd + 8 || x + half > Double(width) { continue }
      drawing.text(text, at: (x, y1 + 22), anchor: .middle, color: Style.ink, size: .normal, upwards: false)
      lastEnd = x + half
    }
    drawing.rectangle(x: x0, y: y1, width: Double(plot.width), height: 1, fill: Style.faint, opacity: 1)
    drawing.rectangle(
      x: x0, y: Double(plot.y.lowerBound), width: 1, height: Double(plot.height), fill: Style.faint,
      opacity: 1)
    let middle = (x: x0 + Double(plot.width) / 2, y: (Double(plot.y.lowerBound) + y1) / 2)
    if !xLabel.isEmpty {
      drawing.text(
        xLabel, at: (middle.x, y1 + 50), anchor: .middle, color: Style.faint, size: .normal, upwards: false)
    }
    if !yLabel.isEmpty {
      drawing.text(
        yLabel, at: (26, middle.y), anchor: .middle, color: Style.faint, size: .normal, upwards: true)
    }
  }

  private func draw(
    _ series: Series, color: UInt32, isDashed: Bool, _ xAxis: Axis, _ yAxis: Axis, _ plot: Panel,
    on drawing: inout some Drawing
  ) {
    if let band = series.band {
      let points = series.x.indices.map { index in
        (
          x: column(series.x[index], xAxis, plot), low: row(band.lower[index], yAxis, plot),
          high: row(band.upper[index], yAxis, plot)
        )
      }
      for run in points.split(whereSeparator: { !($0.x.isFinite && $0.low.isFinite && $0.high.isFinite) }) {
        drawing.band(Array(run), color: color, opacity: Self.bandOpacity, clip: plot)
      }
    }
    let points: [Point] = zip(series.x, series.y).map { (column($0, xAxis, plot), row($1, yAxis, plot)) }
    let runs = points.split { !($0.x.isFinite && $0.y.isFinite) }
    for run in runs where series.mark != .points && run.count > 1 {
      drawing.polyline(
        thinned(Array(run), to: plot), width: 2, color: color, isDashed: isDashed, clip: plot)
    }
    let radius = series.mark == .linePoints ? 3.5 : 3
    // Half a mark may stand over the frame, so that points on the axis can be seen.
    let reach = Panel(
      x: plot.x.lowerBound - 4..<plot.x.upperBound + 4, y: plot.y.lowerBound - 4..<plot.y.upperBound + 4)
    for run in runs where series.mark != .line || run.count == 1 {
      for point in run {
        drawing.circle(point, radius: radius + 1.2, color: Style.background, clip: reach)
        drawing.circle(point, radius: radius, color: color, clip: reach)
      }
    }
  }

  /// Lowest and highest point of each pixel column, when there are many more points than pixels.
  private func thinned(_ points: [Point], to plot: Panel) -> [Point] {
    guard points.count > 4 * plot.width, zip(points, points.dropFirst()).allSatisfy({ $0.x <= $1.x }) else {
      return points
    }
    var result: [Point] = []
    var start = 0
    while start < points.count {
      var end = start + 1
      while end < points.count, points[end].x.rounded(.down) == points[start].x.rounded(.down) { end += 1 }
      let group = points[start..<end]
      let low = group.indices.min { group[$0].y < group[$1].y } ?? start
      let high = group.indices.max { group[$0].y < group[$1].y } ?? start
      for index in Set([start, low, high, end - 1]).sorted() { result.append(points[index]) }
      start = end
    }
    return result
  }

  /// Whether a line is dashed: as it was asked for, or since all colours are taken.
  private func isDashed(_ index: Int) -> Bool {
    series[index].isDashed || (series[index].color == nil && index >= Self.colors.count)
  }

  /// A legend of many lines would hide the plot.
  private var isLegendBeside: Bool { series.count { !$0.name.isEmpty } > 6 }

  private var legendSize: (width: Double, height: Double) {
    let names = series.map(\.name).filter { !$0.isEmpty }
    let widest = names.map { BitmapFont.width($0) * 2 }.max() ?? 0
    return (Double(widest + 58), Double(24 * names.count + 10))
  }

  private func drawLegend(_ plot: Panel, _ xAxis: Axis, _ yAxis: Axis, on drawing: inout some Drawing) {
    let named = series.enumerated().filter { !$0.element.name.isEmpty }
    guard !named.isEmpty else { return }
    let size = legendSize
    let origin =
      isLegendBeside
      ? (x: Double(plot.x.upperBound) + 16, y: Double(plot.y.lowerBound))
      : legendOrigin(size, plot, xAxis, yAxis)
    drawing.rectangle(
      x: origin.x, y: origin.y, width: size.width, height: size.height, fill: Style.background, opacity: 0.88)
    for (line, (index, series)) in named.enumerated() {
      let color = series.color ?? Self.colors[index % Self.colors.count]
      let y = origin.y + 17 + 24 * Double(line)
      let whole = Panel(x: 0..<width, y: 0..<height)
      if series.mark != .points {
        drawing.polyline(
          [(origin.x + 10, y), (origin.x + 38, y)], width: 2.5, color: color, isDashed: isDashed(index),
          clip: whole)
      }
      if series.mark != .line {
        drawing.circle((origin.x + 24, y), radius: 3.5, color: color, clip: whole)
      }
      drawing.text(
        series.name, at: (origin.x + 48, y + 7), anchor: .start, color: Style.ink, size: .normal,
        upwards: false)
    }
  }

  /// The corner of the plot where the legend hides the fewest points.
  private func legendOrigin(
    _ size: (width: Double, height: Double), _ plot: Panel, _ xAxis: Axis, _ yAxis: Axis
  ) -> Point {
    let (left, right) = (Double(plot.x.lowerBound) + 10, Double(plot.x.upperBound) - size.width - 8)
    let (top, bottom) = (Double(plot.y.lowerBound) + 8, Double(plot.y.upperBound) - size.height - 8)
    let corners: [Point] = [(right, top), (left, top), (right, bottom), (left, bottom)]
    let lines: [[Point]] = series.flatMap { series in
      ([series.y] + (series.band.map { [$0.lower, $0.upper] } ?? [])).map { values in
        zip(series.x, values).map { (column($0, xAxis, plot), row($1, yAxis, plot)) }
      }
    }
    let hidden = corners.map { corner in
      lines.reduce(0) { $0 + Self.touched($1, from: corner, size: size) }
    }
    let best = hidden.indices.min { hidden[$0] < hidden[$1] } ?? 0
    return corners[best]
  }

  /// How many of the points, and of steps along the lines between them, lie in a rectangle.
  private static func touched(_ points: [Point], from corner: Point, size: (width: Double, height: Double))
    -> Int
  {
    let inside = { (x: Double, y: Double) in
      x >= corner.x && x <= corner.x + size.width && y >= corner.y && y <= corner.y + size.height
    }
    var count = points.filter { inside($0.x, $0.y) }.count
    for (a, b) in zip(points, points.dropFirst()) {
      let steps = max(abs(b.x - a.x), abs(b.y - a.y)) / 6
      guard steps >= 2, steps < 1000 else { continue }
      for step in 1..<Int(steps) {
        let t = Double(step) / steps
        if inside(a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)) { count += 1 }
      }
    }
    return count
  }

  private func axis(
    _ fixed: ClosedRange<Double>?, _ scale: Scale, padding: Double, _ values: (Series) -> [Double]
  ) -> Axis {
    let kind: Axis.Scale = scale == .logarithmic ? .logarithmic : .linear
    if let fixed, scale == .linear || fixed.lowerBound > 0, fixed.upperBound > fixed.lowerBound {
      return Axis(fixed, scale: kind)
    }
    let usable = series.lazy.flatMap(values).filter { $0.isFinite && (scale == .linear || $0 > 0) }
    guard let low = usable.min(), let high = usable.max() else {
      return Axis(scale == .linear ? 0...1 : 1...10, scale: kind)
    }
    if scale == .logarithmic {
      let margin = max(pow(high / low, padding), low == high ? 2 : 1)
      return Axis(low / margin...high * margin, scale: kind)
    }
    let margin = high > low ? (high - low) * padding : max(abs(high), 1) * 0.5
    return Axis(low - margin...high + margin, scale: kind)
  }

  private func column(_ value: Double, _ axis: Axis, _ plot: Panel) -> Double {
    if !value.isFinite || (axis.scale == .logarithmic && value <= 0) { return .nan }
    return bounded(Double(plot.x.lowerBound) + axis.place(value) * Double(plot.width))
  }

  private func row(_ value: Double, _ axis: Axis, _ plot: Panel) -> Double {
    if !value.isFinite || (axis.scale == .logarithmic && value <= 0) { return .nan }
    return bounded(Double(plot.y.upperBound) - axis.place(value) * Double(plot.height))
  }

  /// Points far outside fixed limits stay within numbers that can be drawn.
  private func bounded(_ pixel: Double) -> Double { min(max(pixel, -1e6), 1e6) }

  private func fitting(_ text: String, _ pixels: Int) -> String {
    let letters = pixels / (2 * BitmapFont.advance)
    return text.count <= letters ? text : String(text.prefix(max(0, letters - 2))) + ".."
  }
}
