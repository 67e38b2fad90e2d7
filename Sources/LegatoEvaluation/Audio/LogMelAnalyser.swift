import LegatoNN
import LegatoTensor

/// Log-mel frames of a stream of sound: what every distance between stretches of music is measured on.
///
/// The mono mix at 48 kHz; periodic Hann window of 2048, hop 960; 64 Slaney mels from 40 Hz to 12 kHz; natural
/// logarithm of max(mel magnitude, 1e-3), which is about 85 dB below a full-scale tone, so that what nobody hears
/// does not count; means of four such spectra, 12.5 frames a second. A spectrum ends where its hop ends: frame k is
/// complete with sample 3840 (k + 1), and what lies before the stream is silence.
public final class LogMelAnalyser {
  /// Hz. Sound at another rate is resampled first.
  public static let sampleRate = 48_000
  public static let bands = 64
  /// Hz: what lies above is not heard.
  public static let highest = 12_000.0
  /// Frames a second.
  public static let frameRate = 12.5
  /// Samples of one frame.
  public static let samplesPerFrame = hop * pooled
  public static let floor: Float = 1e-3
  static let size = 2048
  static let hop = 960
  static let pooled = 4

  private static let blockFrames = 64
  private let engine: CPUEngine
  private let filters: Tensor
  /// What precedes the next frame, and what has come of it.
  private var pending = [Float](repeating: 0, count: size - hop)
  /// `[frames, bands]`, as far as they are complete.
  public private(set) var frames: [Float] = []

  public init(engine: CPUEngine) {
    self.engine = engine
    filters = engine.tensor(
      Spectral.melFilters(
        bands: Self.bands, size: Self.size, sampleRate: Self.sampleRate, from: 40, to: Self.highest),
      shape: [Self.bands, Self.size / 2 + 1])
  }

  /// Takes samples of the mono mix.
  public func append(_ samples: [Float]) {
    pending += samples
    let history = Self.size - Self.hop
    var first = 0
    while pending.count - history - first >= Self.samplesPerFrame {
      let count = min(Self.blockFrames, (pending.count - history - first) / Self.samplesPerFrame)
      let block = Array(pending[first..<first + history + count * Self.samplesPerFrame])
      let magnitude = Spectral.magnitude(
        engine.tensor(block, shape: [block.count]), size: Self.size, hop: Self.hop)
      let mels = Spectral.logMel(magnitude, filters: filters, floor: Self.floor)
      frames += mels.reshape([count, Self.pooled, Self.bands]).mean(axis: 1).floats()
      first += count * Self.samplesPerFrame
    }
    pending.removeFirst(first)
  }
}
