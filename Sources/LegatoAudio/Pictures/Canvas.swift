/// A raster of RGB pixels to draw on, y downwards.
struct Canvas {
  let width: Int
  let height: Int
  /// `0xRRGGBB`, row by row.
  private(set) var pixels: [UInt32]

  init(width: Int, height: Int, color: UInt32) {
    precondition(width > 0 && height > 0, "Canvas: \(width)×\(height)")
    self.width = width
    self.height = height
    pixels = Array(repeating: color, count: width * height)
  }

  /// The picture as a PNG file.
  var png: [UInt8] { PNG.encode(width: width, height: height, pixels: pixels) }

  mutating func set(_ x: Int, _ y: Int, _ color: UInt32) {
    guard x >= 0, x < width, y >= 0, y < height else { return }
    pixels[y * width + x] = color
  }

  /// Mixes `color` over a pixel; `coverage` in 0...1.
  mutating func blend(_ x: Int, _ y: Int, _ color: UInt32, _ coverage: Double) {
    guard x >= 0, x < width, y >= 0, y < height, coverage > 0 else { return }
    let index = y * width + x
    let alpha = UInt32((min(coverage, 1) * 256).rounded())
    func mix(_ shift: UInt32) -> UInt32 {
      let (new, old) = (color >> shift & 0xFF, pixels[index] >> shift & 0xFF)
      return ((new * alpha + old * (256 - alpha) + 128) / 256) << shift
    }
    pixels[index] = mix(16) | mix(8) | mix(0)
  }

  mutating func fill(x: Range<Int>, y: Range<Int>, _ color: UInt32) {
    for row in y.clamped(to: 0..<height) {
      for column in x.clamped(to: 0..<width) { pixels[row * width + column] = color }
    }
  }

  /// A one-pixel frame just inside the ranges.
  mutating func frame(x: Range<Int>, y: Range<Int>, _ color: UInt32) {
    fill(x: x, y: y.lowerBound..<y.lowerBound + 1, color)
    fill(x: x, y: y.upperBound - 1..<y.upperBound, color)
    fill(x: x.lowerBound..<x.lowerBound + 1, y: y, color)
    fill(x: x.upperBound - 1..<x.upperBound, y: y, color)
  }

  /// Text whose left end and top are given; `scale` pixels per font pixel. `upwards` turns it a quarter left.
  mutating func text(
    _ text: String, x: Int, y: Int, scale: Int = 2, color: UInt32, upwards: Bool = false
  ) {
    for (index, character) in text.enumerated() {
      for (row, bits) in BitmapFont.rows(character).enumerated() {
        for column in 0..<BitmapFont.width where bits >> (BitmapFont.width - 1 - column) & 1 == 1 {
          let along = (index * BitmapFont.advance + column) * scale
          let down = row * scale
          if upwards {
            fill(x: x + down..<x + down + scale, y: y - along - scale..<y - along, color)
          } else {
            fill(x: x + along..<x + along + scale, y: y + down..<y + down + scale, color)
          }
        }
      }
    }
  }

  /// A smooth line of round ends, `width` pixels wide, inside `clip`.
  mutating func line(
    from a: (x: Double, y: Double), to b: (x: Double, y: Double), width: Double, color: UInt32,
    opacity: Double = 1, clip: (x: Range<Int>, y: Range<Int>)
  ) {
    coverage(of: [a, b], width: width, clip: clip) { blend($0, $1, color, $2 * opacity) }
  }

  /// Smooth line segments joined without gaps or doubly covered joints.
  mutating func polyline(
    _ points: [(x: Double, y: Double)], width: Double, color: UInt32, clip: (x: Range<Int>, y: Range<Int>)
  ) {
    coverage(of: points, width: width, clip: clip) { blend($0, $1, color, $2) }
  }

  /// Calls `paint` once per touched pixel with how much of it the line covers.
  private func coverage(
    of points: [(x: Double, y: Double)], width: Double, clip: (x: Range<Int>, y: Range<Int>),
    paint: (Int, Int, Double) -> Void
  ) {
    var covered: [Int: Double] = [:]
    let reach = width / 2 + 1
    let columns = clip.x.clamped(to: 0..<self.width)
    let rows = clip.y.clamped(to: 0..<self.height)
    guard !columns.isEmpty, !rows.isEmpty else { return }
    for (a, b) in zip(points, points.count == 1 ? points[...] : points.dropFirst()) {
      let (dx, dy) = (b.x - a.x, b.y - a.y)
      let lengthSquared = dx * dx + dy * dy
      let left = Int(max(min(a.x, b.x) - reach, Double(columns.lowerBound)))
      let right = Int(min(max(a.x, b.x) + reach, Double(columns.upperBound - 1)))
      guard left <= right else { continue }
      for x in left...right {
        // Only the rows that the segment passes in this column, not its whole bounding box.
        let from = dx == 0 ? 0 : (Double(x) - reach - a.x) / dx
        let to = dx == 0 ? 1 : (Double(x) + reach + 1 - a.x) / dx
        let t0 = min(max(min(from, to), 0), 1)
        let t1 = min(max(max(from, to), 0), 1)
        let (y0, y1) = (a.y + dy * t0, a.y + dy * t1)
        let top = Int(max(min(y0, y1) - reach, Double(rows.lowerBound)))
        let bottom = Int(min(max(y0, y1) + reach, Double(rows.upperBound - 1)))
        guard top <= bottom else { continue }
        for y in top...bottom {
          let (px, py) = (Double(x) + 0.5 - a.x, Double(y) + 0.5 - a.y)
          let t = lengthSquared > 0 ? min(max((px * dx + py * dy) / lengthSquared, 0), 1) : 0
          let (ex, ey) = (px - t * dx, py - t * dy)
          let amount = min(max(width / 2 + 0.5 - (ex * ex + ey * ey).squareRoot(), 0), 1)
          if amount > 0 { covered[y * self.width + x] = max(covered[y * self.width + x] ?? 0, amount) }
        }
      }
    }
    for (index, amount) in covered { paint(index % self.width, index / self.width, amount) }
  }

  /// Fills between two lines that share their x, each column mixed once.
  mutating func band(
    _ points: [(x: Double, low: Double, high: Double)], color: UInt32, opacity: Double,
    clip: (x: Range<Int>, y: Range<Int>)
  ) {
    guard let first = points.first, let last = points.last else { return }
    var segment = 0
    let columns = clip.x.clamped(to: 0..<width)
    let rows = clip.y.clamped(to: 0..<height)
    for x in columns where Double(x) + 0.5 >= first.x && Double(x) + 0.5 <= last.x {
      let center = Double(x) + 0.5
      while segment + 2 < points.count, points[segment + 1].x < center { segment += 1 }
      guard segment + 1 < points.count else { return }
      let (a, b) = (points[segment], points[segment + 1])
      let t = b.x > a.x ? (center - a.x) / (b.x - a.x) : 0
      let ends = [a.low + t * (b.low - a.low), a.high + t * (b.high - a.high)]
      let (top, bottom) = (min(ends[0], ends[1]), max(ends[0], ends[1]))
      let firstRow = Int(max(top, Double(rows.lowerBound)))
      let lastRow = Int(min(bottom, Double(rows.upperBound - 1)))
      guard firstRow <= lastRow else { continue }
      for y in firstRow...lastRow {
        let amount = min(bottom, Double(y + 1)) - max(top, Double(y))
        blend(x, y, color, max(0, amount) * opacity)
      }
    }
  }
}
