/// Draws charts as pixels.
struct RasterDrawing: Drawing {
  var canvas: Canvas

  init(width: Int, height: Int) {
    canvas = Canvas(width: width, height: height, color: Style.background)
  }

  mutating func rectangle(
    x: Double, y: Double, width: Double, height: Double, fill: UInt32, opacity: Double
  ) {
    let columns = Int(x.rounded())..<max(Int(x.rounded()) + 1, Int((x + width).rounded()))
    let rows = Int(y.rounded())..<max(Int(y.rounded()) + 1, Int((y + height).rounded()))
    if opacity >= 1 { return canvas.fill(x: columns, y: rows, fill) }
    for row in rows { for column in columns { canvas.blend(column, row, fill, opacity) } }
  }

  mutating func polyline(_ points: [Point], width: Double, color: UInt32, isDashed: Bool, clip: Panel) {
    guard isDashed else {
      return canvas.polyline(points, width: width, color: color, clip: (clip.x, clip.y))
    }
    for dash in Self.dashes(points, on: 7, off: 5) {
      canvas.polyline(dash, width: width, color: color, clip: (clip.x, clip.y))
    }
  }

  mutating func circle(_ center: Point, radius: Double, color: UInt32, clip: Panel) {
    canvas.polyline([center], width: 2 * radius, color: color, clip: (clip.x, clip.y))
  }

  mutating func band(
    _ points: [(x: Double, low: Double, high: Double)], color: UInt32, opacity: Double, clip: Panel
  ) {
    canvas.band(points, color: color, opacity: opacity, clip: (clip.x, clip.y))
  }

  mutating func text(
    _ text: String, at point: Point, anchor: TextAnchor, color: UInt32, size: TextSize, upwards: Bool
  ) {
    let width = 2 * BitmapFont.width(text)
    let shift = anchor == .start ? 0 : anchor == .middle ? width / 2 : width
    let rise = 2 * BitmapFont.height
    let (x, y) = (Int(point.x.rounded()), Int(point.y.rounded()))
    if upwards {
      canvas.text(text, x: x - rise, y: y + shift, color: color, upwards: true)
    } else {
      canvas.text(text, x: x - shift, y: y - rise, color: color)
    }
  }

  /// The pieces of a line that a dash pattern leaves.
  private static func dashes(_ points: [Point], on: Double, off: Double) -> [[Point]] {
    var result: [[Point]] = []
    var current: [Point] = points.first.map { [$0] } ?? []
    var left = on
    var drawing = true
    for (a, b) in zip(points, points.dropFirst()) {
      let length = ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
      guard length > 0 else { continue }
      var done = 0.0
      while length - done > left {
        done += left
        let point = (x: a.x + (b.x - a.x) * done / length, y: a.y + (b.y - a.y) * done / length)
        if drawing { result.append(current + [point]) }
        drawing.toggle()
        current = [point]
        left = drawing ? on : off
      }
      left -= length - done
      if drawing { current.append(b) }
    }
    if drawing, current.count > 1 { result.append(current) }
    return result
  }
}
