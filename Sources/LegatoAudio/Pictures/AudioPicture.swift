import LegatoTensor

/// Pictures of sound as PNG files: waveform over spectrogram, or several spectrograms to compare.
public struct AudioPicture: Sendable {
  /// How frequencies are spread over the height.
  public enum FrequencyScale: String, Sendable, CaseIterable {
    /// Every octave equally high.
    case logarithmic
    /// The mel scale, 700 · (e^m − 1): linear below about 1 kHz, logarithmic above.
    case mel
  }

  /// How several spectrograms are arranged.
  public enum Arrangement: String, Sendable, CaseIterable {
    case stacked
    case sideBySide
  }

  /// Size in pixels.
  public var width: Int
  /// Size in pixels; of each row of spectrograms when several are stacked.
  public var height: Int
  /// How frequencies are spread.
  public var scale: FrequencyScale
  /// dB from the darkest to the brightest colour.
  public var dynamicRange: Double
  /// Lowest frequency shown on the logarithmic scale, Hz.
  public var lowestFrequency: Double

  /// - Parameters:
  ///   - width: pixels, at least 240.
  ///   - height: pixels, at least 160.
  public init(
    width: Int = 1200, height: Int = 600, scale: FrequencyScale = .logarithmic,
    dynamicRange: Double = 90, lowestFrequency: Double = 40
  ) {
    precondition(width >= 240 && height >= 160, "AudioPicture: \(width)×\(height) is too small")
    precondition(dynamicRange > 0 && lowestFrequency > 0, "AudioPicture: range \(dynamicRange) dB")
    self.width = width
    self.height = height
    self.scale = scale
    self.dynamicRange = dynamicRange
    self.lowestFrequency = lowestFrequency
  }

  /// Waveform above, spectrogram below, one time axis.
  public func png(_ buffer: AudioBuffer, title: String = "") -> [UInt8] {
    var canvas = Canvas(width: width, height: height, color: Style.background)
    let area = Panel(x: Style.left..<width - Style.right, y: 0..<height)
    let header = title.isEmpty ? Style.margin : Style.title
    Style.drawTitle(title, x: area.x, y: 0, on: &canvas)
    let waveHeight = max(40, (height - header - Style.bottom) / 4)
    let wave = Panel(x: area.x, y: header..<header + waveHeight)
    let spectrum = Panel(x: area.x, y: wave.y.upperBound + Style.margin..<height - Style.bottom)
    drawWaveform(buffer, in: wave, on: &canvas)
    let axis = frequencyAxis([buffer])
    let image = Spectrogram(
      buffer, columns: spectrum.width, rows: spectrum.height, seconds: span(buffer.duration), axis: axis)
    draw(image, brightest: image.maximum, in: spectrum, on: &canvas)
    drawAxes(axis, seconds: span(buffer.duration), in: spectrum, on: &canvas)
    return canvas.png
  }

  /// Writes ``png(_:title:)`` to a file, aside and then renamed. Throws ``AudioError``.
  public func write(_ buffer: AudioBuffer, title: String = "", to path: String) throws {
    try AudioError.writing { try DurableFile.write(png(buffer, title: title), to: path) }
  }

  /// Spectrograms of several sounds on the same time, frequency and level scales.
  public func spectrograms(
    _ items: [(title: String, buffer: AudioBuffer)], arrangement: Arrangement = .stacked
  ) -> [UInt8] {
    precondition(!items.isEmpty, "AudioPicture.spectrograms: nothing to show")
    let stacked = arrangement == .stacked
    let rows = stacked ? items.count : 1
    let columns = stacked ? 1 : items.count
    var canvas = Canvas(width: width, height: height * rows, color: Style.background)
    let axis = frequencyAxis(items.map(\.buffer))
    let seconds = span(items.map(\.buffer.duration).max() ?? 0)
    let panels = items.indices.map { index in
      let cell = width / columns
      let (x, y) = (stacked ? 0 : index * cell, stacked ? index * height : 0)
      return Panel(
        x: x + Style.left..<x + cell - Style.right, y: y + Style.title..<y + height - Style.bottom)
    }
    let images = zip(items, panels).map { item, panel in
      Spectrogram(item.buffer, columns: panel.width, rows: panel.height, seconds: seconds, axis: axis)
    }
    let brightest = images.map(\.maximum).max() ?? 0
    for ((item, panel), image) in zip(zip(items, panels), images) {
      Style.drawTitle(item.title, x: panel.x, y: panel.y.lowerBound - Style.title, on: &canvas)
      draw(image, brightest: brightest, in: panel, on: &canvas)
      drawAxes(axis, seconds: seconds, in: panel, on: &canvas)
    }
    return canvas.png
  }

  /// Spectrograms of several sounds, stacked, at the usual size.
  public static func spectrograms(_ items: [(title: String, buffer: AudioBuffer)]) -> [UInt8] {
    AudioPicture(height: 320).spectrograms(items)
  }

  /// Writes ``spectrograms(_:arrangement:)`` to a file, aside and then renamed. Throws ``AudioError``.
  public func writeSpectrograms(
    _ items: [(title: String, buffer: AudioBuffer)], arrangement: Arrangement = .stacked, to path: String
  ) throws {
    try AudioError.writing { try DurableFile.write(spectrograms(items, arrangement: arrangement), to: path) }
  }

  /// Axes need some length even when the sound has none.
  private func span(_ seconds: Double) -> Double { max(seconds, 1e-3) }

  private func frequencyAxis(_ buffers: [AudioBuffer]) -> Axis {
    let top = Double(buffers.map(\.sampleRate).max() ?? 48000) / 2
    return switch scale {
    case .logarithmic: Axis(min(lowestFrequency, top / 4)...top, scale: .logarithmic)
    case .mel: Axis(0...top, scale: .mel)
    }
  }
}
