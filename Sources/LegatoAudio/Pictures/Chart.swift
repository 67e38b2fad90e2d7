import LegatoTensor

/// A line chart or scatter plot, as SVG or PNG: training curves, drift by position, distributions.
public struct Chart: Sendable {
  /// One line or cloud of points.
  public struct Series: Sendable {
    /// How the points are shown.
    public enum Mark: Sendable, Equatable { case line, points, linePoints }

    /// Name in the legend; empty for none.
    public var name: String
    /// Points; a value that is NaN or infinite breaks the line.
    public var x: [Double]
    public var y: [Double]
    /// A band around the line, such as a confidence interval: as many values as `y`.
    public var band: (lower: [Double], upper: [Double])?
    /// How the points are shown.
    public var mark: Mark
    /// `0xRRGGBB`; nil takes the next of the chart's colours.
    public var color: UInt32?
    /// True for a dashed line, for references.
    public var isDashed: Bool

    /// A series of points `(x[i], y[i])`; `x` and `y` must have the same length.
    public init(
      _ name: String, x: [Double], y: [Double], band: (lower: [Double], upper: [Double])? = nil,
      mark: Mark = .line, color: UInt32? = nil, isDashed: Bool = false
    ) {
      precondition(x.count == y.count, "Chart.Series \(name): \(x.count) x and \(y.count) y")
      precondition(
        band.map { $0.lower.count == y.count && $0.upper.count == y.count } ?? true,
        "Chart.Series \(name): the band has not as many values as the line")
      self.name = name
      self.x = x
      self.y = y
      self.band = band
      self.mark = mark
      self.color = color
      self.isDashed = isDashed
    }
  }

  /// How values are spread along an axis.
  public enum Scale: Sendable { case linear, logarithmic }

  /// Text above; empty for none.
  public var title: String
  /// Text under the horizontal axis, with the unit.
  public var xLabel: String
  /// Text beside the vertical axis, with the unit.
  public var yLabel: String
  /// What is drawn, first at the back.
  public var series: [Series]
  /// Pixels.
  public var width: Int
  /// Pixels.
  public var height: Int
  /// Points at or below 0 are left out on a logarithmic axis.
  public var xScale: Scale = .linear
  /// Points at or below 0 are left out on a logarithmic axis.
  public var yScale: Scale = .linear
  /// Fixed limits; nil shows all points.
  public var xRange: ClosedRange<Double>?
  /// Fixed limits; nil shows all points.
  public var yRange: ClosedRange<Double>?

  /// - Parameters:
  ///   - width: pixels, at least 240.
  ///   - height: pixels, at least 160.
  public init(
    title: String = "", xLabel: String = "", yLabel: String = "", series: [Series] = [], width: Int = 900,
    height: Int = 540
  ) {
    precondition(width >= 240 && height >= 160, "Chart: \(width)×\(height) is too small")
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
    self.width = width
    self.height = height
  }

  /// The chart as an SVG document.
  public func svg() -> String {
    var drawing = SVGDrawing(width: width, height: height)
    draw(on: &drawing)
    return drawing.document
  }

  /// The chart as a PNG file.
  public func png() -> [UInt8] {
    var drawing = RasterDrawing(width: width, height: height)
    draw(on: &drawing)
    return drawing.canvas.png
  }

  /// Writes the chart, as SVG if the name ends in ".svg" and else as PNG; aside and then renamed.
  ///
  /// Throws ``AudioError``.
  public func write(to path: String) throws {
    let isSVG = path.lowercased().hasSuffix(".svg")
    try AudioError.writing { try DurableFile.write(isSVG ? Array(svg().utf8) : png(), to: path) }
  }
}
