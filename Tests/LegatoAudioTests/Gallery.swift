import Foundation
import Testing

@testable import LegatoAudio

/// Writes pictures for eyes when LEGATO_GALLERY names a folder.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LEGATO_GALLERY"] != nil)) struct Gallery {
  private let folder = ProcessInfo.processInfo.environment["LEGATO_GALLERY"] ?? "."

  /// A few decaying harmonic notes.
  private func tune(_ detune: Double = 0) -> AudioBuffer {
    let rate = 48_000
    var left = [Float](repeating: 0, count: rate * 6)
    var right = left
    for (index, note) in [0, 4, 7, 12, 16, 12, 7, 4, 0, 5, 9, 12].enumerated() {
      let frequency = 220 * pow(2, (Double(note) + detune) / 12)
      let start = index * rate / 2
      for frame in start..<left.count {
        let t = Double(frame - start) / Double(rate)
        if t > 2.5 { break }
        var value = 0.0
        for harmonic in 1...24 {
          let h = Double(harmonic)
          if frequency * h > 20_000 { break }
          value += sin(2 * .pi * frequency * h * t) * exp(-t * (1.5 + 0.4 * h)) / h
        }
        left[frame] += Float(0.22 * value)
        right[frame] += Float(0.22 * value * (index % 2 == 0 ? 0.6 : 1))
      }
    }
    let hiss = noise(left.count, level: 0.0005).channels[0]
    for frame in left.indices { left[frame] += hiss[frame] }
    return AudioBuffer(sampleRate: rate, channels: [left, right])
  }

  @Test func pictures() throws {
    try AudioPicture().write(tune(), title: "Twelve notes, 48 kHz stereo", to: folder + "/picture.png")
    try AudioPicture(scale: .mel).write(
      noise(48_000 * 200, level: 0.5), title: "Noise (mel)", to: folder + "/noise.png")
    try AudioPicture(height: 300).writeSpectrograms(
      [("Original", tune()), ("Half a tone up, generated", tune(1)), ("Noise", noise(100_000, level: 0.1))],
      to: folder + "/stacked.png")
    try AudioPicture(height: 420).writeSpectrograms(
      [("Original", tune()), ("Half a tone up", tune(1))], arrangement: .sideBySide, to: folder + "/side.png")
    let x = (0...400).map { Double($0) * 50 }
    func curve(_ a: Double, _ seed: UInt64) -> [Double] {
      let jitter = noise(x.count, level: 0.05, seed: seed).channels[0]
      return zip(x, jitter).map { 2.2 * exp(-$0 / a) + 0.4 + Double($1) }
    }
    let (first, second) = (curve(3000, 3), curve(4500, 4))
    let chart = Chart(
      title: "Validation loss by step", xLabel: "optimiser step", yLabel: "flow-matching loss",
      series: [
        .init("context noise 0.3", x: x, y: first, band: (first.map { $0 - 0.12 }, first.map { $0 + 0.12 })),
        .init("no noise", x: x, y: second, band: (second.map { $0 - 0.2 }, second.map { $0 + 0.2 })),
        .init("published", x: [0, 20_000], y: [0.5, 0.5], color: 0x5C5F66, isDashed: true),
        .init("evaluated", x: [4000, 8000, 12_000, 16_000], y: [1.2, 0.8, 0.6, 0.55], mark: .points),
      ])
    try chart.write(to: folder + "/chart.png")
    try chart.write(to: folder + "/chart.svg")
    var logarithmic = chart
    logarithmic.yScale = .logarithmic
    logarithmic.series[0].x[0] = 1
    logarithmic.xScale = .logarithmic
    try logarithmic.write(to: folder + "/log.png")
    let ramp = (0..<240 * 40).map { ColorMap.table[$0 % 240] }
    try Data(PNG.encode(width: 240, height: 40, pixels: ramp)).write(
      to: URL(fileURLWithPath: folder + "/ramp.png"))
  }
}
