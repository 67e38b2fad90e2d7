import LegatoNN
import LegatoTensor

/// The spectrum of a second of sound on quarter tones, as a share of its loudest place.
///
/// 21 frames of 8192 samples, 1920 apart; periodic Hann window; 208 triangles of unit sum, 24 an octave from A0 (27.5 Hz)
/// to 10.9 kHz, never narrower than a bin of 5.9 Hz; natural logarithm. What is 60 dB or more under the window's loudest
/// band counts as that, so that the level does not matter down to about −70 dBFS, and below that sound fades into silence.
public enum LogFrequencySpectrum {
  /// Hz.
  public static let sampleRate = 48_000
  /// Samples of a window.
  public static let samples = 48_000
  public static let frames = (samples - size) / hop + 1
  public static let bands = 208

  static let size = 8192
  static let hop = 1920
  /// Samples at either end that no frame reads.
  private static let margin = (samples - size) % hop / 2
  private static let lowest = 27.5
  private static let perOctave = 24.0
  /// Natural logarithms: 60 dB, and 130 dB under a full-scale tone.
  private static let range: Float = 6.9
  private static let floor: Float = -8.1

  /// Windows `[B, samples]` → `[B, frames, bands]` in −1...1; silence is −1.
  public static func of(_ windows: Tensor) -> Tensor {
    let used = windows.slice(axis: -1, margin..<samples - margin)
    let magnitude = Spectral.magnitude(used, size: size, hop: hop).slice(axis: -1, 0..<bins)
    let filters = windows.backend.tensor(filters, shape: [bands, bins])
    let level = magnitude.matmul(filters, transposed: true).log().maximum(floor)
    let loudest = level.reshape([windows.dim(0), frames * bands]).max(axis: -1).maximum(floor + range)
    return (level - loudest.reshape([windows.dim(0), 1, 1])).maximum(-range) * (2 / range) + 1
  }

  private static let binWidth = Double(sampleRate) / Double(size)
  /// Bins that any band reads.
  private static let bins = Int(centre(bands) / binWidth) + 2
  private static let filters: [Float] = (0..<bands).flatMap { band -> [Float] in
    let middle = centre(band)
    let reach = max(centre(band + 1) - middle, binWidth)
    let heights = (0..<bins).map { max(0, 1 - abs(Double($0) * binWidth - middle) / reach) }
    let sum = heights.reduce(0, +)
    return heights.map { Float($0 / sum) }
  }

  private static func centre(_ band: Int) -> Double {
    lowest * Double.exponential(Double(band) / perOctave * Double.logarithm(2))
  }
}
