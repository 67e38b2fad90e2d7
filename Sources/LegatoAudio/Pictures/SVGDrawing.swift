/// Draws charts as SVG elements.
struct SVGDrawing: Drawing {
  private let width: Int
  private let height: Int
  private var elements: [String] = []
  private var clips: [String] = []

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  var document: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
    viewBox="0 0 \(width) \(height)" font-family="Helvetica, Arial, sans-serif">
    <defs>\(definitions)</defs>
    <rect width="\(width)" height="\(height)" fill="\(Self.color(Style.background))"/>
    \(elements.joined(separator: "\n"))
    </svg>

    """
  }

  private var definitions: String {
    clips.enumerated().map { "<clipPath id=\"plot\($0)\">\($1)</clipPath>" }.joined()
  }

  mutating func rectangle(
    x: Double, y: Double, width: Double, height: Double, fill: UInt32, opacity: Double
  ) {
    elements.append(
      "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(max(width, 1)))\" "
        + "height=\"\(Self.number(max(height, 1)))\" fill=\"\(Self.color(fill))\"\(Self.opacity(opacity))/>")
  }

  mutating func polyline(_ points: [Point], width: Double, color: UInt32, isDashed: Bool, clip: Panel) {
    let path = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
    elements.append(
      "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(Self.color(color))\" stroke-width=\"\(Self.number(width))\" "
        + "stroke-linejoin=\"round\" stroke-linecap=\"round\"\(isDashed ? " stroke-dasharray=\"7 5\"" : "")"
        + "\(reference(clip))/>")
  }

  mutating func circle(_ center: Point, radius: Double, color: UInt32, clip: Panel) {
    elements.append(
      "<circle cx=\"\(Self.number(center.x))\" cy=\"\(Self.number(center.y))\" r=\"\(Self.number(radius))\" "
        + "fill=\"\(Self.color(color))\"\(reference(clip))/>")
  }

  mutating func band(
    _ points: [(x: Double, low: Double, high: Double)], color: UInt32, opacity: Double, clip: Panel
  ) {
    let outline = points.map { ($0.x, $0.high) } + points.reversed().map { ($0.x, $0.low) }
    let path = outline.map { "\(Self.number($0.0)),\(Self.number($0.1))" }.joined(separator: " ")
    elements.append(
      "<polygon points=\"\(path)\" fill=\"\(Self.color(color))\"\(Self.opacity(opacity))\(reference(clip))/>")
  }

  mutating func text(
    _ text: String, at point: Point, anchor: TextAnchor, color: UInt32, size: TextSize, upwards: Bool
  ) {
    let place = "x=\"\(Self.number(point.x))\" y=\"\(Self.number(point.y))\""
    let turn =
      upwards ? " transform=\"rotate(-90 \(Self.number(point.x)) \(Self.number(point.y)))\"" : ""
    let font = size == .title ? "font-size=\"17\" font-weight=\"600\"" : "font-size=\"14\""
    elements.append(
      "<text \(place) \(font) text-anchor=\"\(anchor.rawValue)\" fill=\"\(Self.color(color))\"\(turn)>"
        + "\(text.escapedForMarkup)</text>")
  }

  /// The attribute that cuts an element at `clip`; each rectangle is defined once.
  private mutating func reference(_ clip: Panel) -> String {
    let shape =
      "<rect x=\"\(clip.x.lowerBound)\" y=\"\(clip.y.lowerBound)\" width=\"\(clip.width)\" height=\"\(clip.height)\"/>"
    let index = clips.firstIndex(of: shape) ?? clips.count
    if index == clips.count { clips.append(shape) }
    return " clip-path=\"url(#plot\(index))\""
  }

  private static func number(_ value: Double) -> String { AxisLabel.decimal(value, digits: 2) }

  private static func color(_ color: UInt32) -> String {
    let text = String(color, radix: 16)
    return "#" + String(repeating: "0", count: max(0, 6 - text.count)) + text
  }

  private static func opacity(_ opacity: Double) -> String {
    opacity < 1 ? " fill-opacity=\"\(number(opacity))\"" : ""
  }
}
