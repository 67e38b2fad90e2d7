/// A rectangle of the canvas.
struct Panel {
  var x: Range<Int>
  var y: Range<Int>
  var width: Int { x.count }
  var height: Int { y.count }
}

/// Colours and distances of sound pictures, in pixels.
enum Style {
  static let background: UInt32 = 0xFFFFFF
  static let ink: UInt32 = 0x22252B
  static let faint: UInt32 = 0x8A8F99
  static let wave: UInt32 = 0x8E9FD4
  static let waveCore: UInt32 = 0x3B4CA8
  static let zero: UInt32 = 0xD5D8E0
  static let left = 64
  static let right = 20
  static let bottom = 46
  static let title = 34
  static let margin = 10

  static func drawTitle(_ title: String, x: Range<Int>, y: Int, on canvas: inout Canvas) {
    let letters = max(0, x.count / (2 * BitmapFont.advance))
    let fitting = title.count <= letters ? title : String(title.prefix(max(0, letters - 2))) + ".."
    canvas.text(fitting, x: x.lowerBound, y: y + 10, color: ink)
  }
}

extension AudioPicture {
  /// Extremes of each column, all channels overlaid, with the RMS as a darker core.
  func drawWaveform(_ buffer: AudioBuffer, in panel: Panel, on canvas: inout Canvas) {
    let middle = panel.y.lowerBound + panel.height / 2
    let half = Double(panel.height / 2 - 1)
    canvas.fill(x: panel.x, y: middle..<middle + 1, Style.zero)
    let frames = buffer.frameCount
    for column in 0..<panel.width where frames > 0 {
      let start = column * frames / panel.width
      let end = min(frames, max(start + 1, (column + 1) * frames / panel.width))
      guard start < end else { continue }
      var (low, high): (Float, Float) = (0, 0)
      var sum = 0.0
      for channel in buffer.channels {
        for sample in channel[start..<end] {
          low = min(low, sample)
          high = max(high, sample)
          sum += Double(sample) * Double(sample)
        }
      }
      let rms = (sum / Double((end - start) * buffer.channelCount)).squareRoot()
      func row(_ value: Double) -> Int { middle - Int((min(max(value, -1), 1) * half).rounded()) }
      let x = panel.x.lowerBound + column
      canvas.fill(x: x..<x + 1, y: row(Double(high))..<row(Double(low)) + 1, Style.wave)
      let (top, bottom) = (max(row(rms), row(Double(high))), min(row(-rms), row(Double(low))))
      if top <= bottom { canvas.fill(x: x..<x + 1, y: top..<bottom + 1, Style.waveCore) }
    }
    for (value, text) in [(1.0, "1"), (0.0, "0"), (-1.0, "-1")] {
      let y = middle - Int(value * half)
      label(
        text, rightOf: panel.x.lowerBound - 10,
        middle: min(max(y, panel.y.lowerBound + 6), panel.y.upperBound - 8), on: &canvas)
    }
    canvas.frame(x: panel.x, y: panel.y, Style.faint)
  }

  func draw(_ image: Spectrogram, brightest: Float, in panel: Panel, on canvas: inout Canvas) {
    // Silence stays dark: levels under −100 dBFS are never stretched to bright colours.
    let top = max(brightest, -100)
    for (column, levels) in image.levels.enumerated() {
      for (row, level) in levels.enumerated() {
        let color = ColorMap.color(level: 1 + (level - top) / Float(dynamicRange))
        canvas.set(panel.x.lowerBound + column, panel.y.upperBound - 1 - row, color)
      }
    }
  }

  func drawAxes(_ axis: Axis, seconds: Double, in panel: Panel, on canvas: inout Canvas) {
    canvas.frame(x: panel.x, y: panel.y, Style.faint)
    var lowestUsed = Int.max
    for frequency in axis.ticks(8) {
      let y = panel.y.upperBound - 1 - Int((axis.place(frequency) * Double(panel.height - 1)).rounded())
      canvas.fill(x: panel.x.lowerBound - 5..<panel.x.lowerBound, y: y..<y + 1, Style.ink)
      if y + 9 > lowestUsed { continue }
      label(AxisLabel.frequency(frequency), rightOf: panel.x.lowerBound - 9, middle: y, on: &canvas)
      lowestUsed = y - 9
    }
    canvas.text("Hz", x: panel.x.lowerBound - 60, y: panel.y.upperBound + 12, color: Style.faint)
    let time = Axis(0...seconds)
    let baseline = panel.y.upperBound
    let unit = seconds < 90 ? "s" : "min"
    let unitStart = panel.x.upperBound - 2 * BitmapFont.width(unit)
    for second in Self.timeTicks(seconds, count: max(2, panel.width / 110)) {
      let x = panel.x.lowerBound + Int((time.place(second) * Double(panel.width - 1)).rounded())
      canvas.fill(x: x..<x + 1, y: baseline..<baseline + 5, Style.ink)
      let text = AxisLabel.time(second, of: seconds)
      let width = 2 * BitmapFont.width(text)
      if x + width / 2 > unitStart - 12 { continue }
      canvas.text(text, x: x - width / 2, y: baseline + 12, color: Style.ink)
    }
    canvas.text(unit, x: unitStart, y: baseline + 12, color: Style.faint)
  }

  /// Round seconds, or round minutes when the sound lasts some.
  private static func timeTicks(_ seconds: Double, count: Int) -> [Double] {
    guard seconds >= 90 else { return Axis(0...seconds).ticks(count) }
    let steps: [Double] = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200]
    let step =
      steps.first { seconds / $0 <= Double(count) } ?? Axis.roundStep(seconds / Double(count) / 3600) * 3600
    return Array(stride(from: 0, through: seconds, by: step))
  }

  private func label(_ text: String, rightOf x: Int, middle y: Int, on canvas: inout Canvas) {
    canvas.text(text, x: x - 2 * BitmapFont.width(text), y: y - BitmapFont.height, color: Style.ink)
  }
}
