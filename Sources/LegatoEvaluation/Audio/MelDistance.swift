import LegatoAudio
import LegatoNN
import LegatoTensor

/// Mean absolute difference of log-mel spectra: 80 Slaney mels from 0 Hz to Nyquist, periodic Hann window of 2048,
/// hop 512, no padding, natural logarithm of max(mel magnitude, 1e-5), mean over frames, bands and channels.
public struct MelDistance: Sendable {
  public static let bands = 80
  public static let size = 2048
  public static let hop = 512
  public static let floor: Float = 1e-5

  public let sampleRate: Int
  private let filters: [Float]

  /// - Parameter sampleRate: of the sound to be compared, in Hz.
  public init(sampleRate: Int) {
    self.sampleRate = sampleRate
    filters = Spectral.melFilters(bands: Self.bands, size: Self.size, sampleRate: sampleRate)
  }

  /// The distance over the common length of both. Throws ``EvaluationError`` where they cannot be compared.
  public func callAsFunction(reference: AudioBuffer, estimate: AudioBuffer, engine: CPUEngine) throws
    -> Double
  {
    let pair = try SignalPair(reference, estimate)
    guard reference.sampleRate == sampleRate else {
      throw EvaluationError(
        "the mel filters are for \(sampleRate) Hz and the sound has \(reference.sampleRate) Hz; resample it")
    }
    let matrix = engine.tensor(filters, shape: [Self.bands, Self.size / 2 + 1])
    func logMel(_ signal: Tensor) -> Tensor {
      Spectral.logMel(
        Spectral.magnitude(signal, size: Self.size, hop: Self.hop), filters: matrix, floor: Self.floor)
    }
    var (sum, count) = (0.0, 0)
    pair.forEachBlock(size: Self.size, hop: Self.hop, engine: engine) { a, b in
      let differences = (logMel(a) - logMel(b)).abs().floats()
      sum = differences.reduce(sum) { $0 + Double($1) }
      count += differences.count
    }
    return sum / Double(count)
  }
}
