/// A point in pixels, y downwards.
typealias Point = (x: Double, y: Double)

/// What a chart is drawn on; one layout serves SVG and PNG.
protocol Drawing {
  mutating func rectangle(x: Double, y: Double, width: Double, height: Double, fill: UInt32, opacity: Double)
  /// Joined segments, cut at `clip`.
  mutating func polyline(_ points: [Point], width: Double, color: UInt32, isDashed: Bool, clip: Panel)
  mutating func circle(_ center: Point, radius: Double, color: UInt32, clip: Panel)
  mutating func band(
    _ points: [(x: Double, low: Double, high: Double)], color: UInt32, opacity: Double, clip: Panel)
  /// Text with its anchor on the baseline.
  mutating func text(
    _ text: String, at point: Point, anchor: TextAnchor, color: UInt32, size: TextSize, upwards: Bool)
}

/// Where a text's anchor lies along it.
enum TextAnchor: String { case start, middle, end }

/// Sizes of text.
enum TextSize { case normal, title }
