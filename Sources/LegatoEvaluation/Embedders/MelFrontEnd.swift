import LegatoAudio
import LegatoNN
import LegatoTensor

/// What published networks look at: windows of sound as mel bands.
struct MelFrontEnd {
  /// Samples of a window, of its transform (zeros follow the window), and from one window to the next.
  var window: Int
  var size: Int
  var hop: Int

  /// Power spectra of samples, no padding: `[length]` → `[frames, size/2 + 1]`; what does not fill a hop is left out.
  func power(_ samples: [Float], on backend: any Backend) -> Tensor {
    let frames = (samples.count - window) / hop + 1
    let used = window + (frames - 1) * hop
    let x = backend.tensor(Array(samples[..<used]), shape: [used])
    let windowed = x.frame(size: window, hop: hop) * backend.tensor(Spectral.hann(window), shape: [window])
    return windowed.pad(axis: 1, after: size - window).rfft().square().sum(axis: 1)
      .reshape([frames, size / 2 + 1])
  }

  /// The samples with their mirror image, without the edge itself, half a window long at both ends. Needs more than
  /// half a window.
  func centred(_ samples: [Float]) -> [Float] {
    let half = window / 2
    return samples[1...half].reversed() + samples
      + samples[(samples.count - 1 - half)...].dropLast().reversed()
  }

  /// 10 log10 of mel power, not under −100 dB: power `[..., bins]`, filters `[bins, bands]` → `[..., bands]`.
  static func decibels(_ power: Tensor, filters: Tensor) -> Tensor {
    power.matmul(filters).maximum(1e-10).log() * Float(10 / Double.logarithm(10))
  }

  /// Triangles of height 1, equally spaced and straight in the HTK mel scale, without the lowest bin: `[size/2 + 1, bands]`.
  static func htkFilters(bands: Int, size: Int, sampleRate: Int, from low: Double, to high: Double) -> [Float]
  {
    func mel(_ hertz: Double) -> Double { 1127 * Double.logarithm(1 + hertz / 700) }
    let edges = (0...(bands + 1)).map {
      mel(low) + (mel(high) - mel(low)) * Double($0) / Double(bands + 1)
    }
    var filters = [Float](repeating: 0, count: (size / 2 + 1) * bands)
    for bin in 1...(size / 2) {
      let place = mel(Double(bin) * Double(sampleRate) / Double(size))
      for band in 0..<bands {
        let (left, centre, right) = (edges[band], edges[band + 1], edges[band + 2])
        let height = min((place - left) / (centre - left), (right - place) / (right - centre))
        filters[bin * bands + band] = Float(max(0, height))
      }
    }
    return filters
  }

  /// ``LegatoNN/Spectral/melFilters(bands:size:sampleRate:from:to:)`` with the axes exchanged: `[size/2 + 1, bands]`.
  static func slaneyFilters(bands: Int, size: Int, sampleRate: Int, from low: Double, to high: Double)
    -> [Float]
  {
    let rows = Spectral.melFilters(bands: bands, size: size, sampleRate: sampleRate, from: low, to: high)
    let bins = size / 2 + 1
    return (0..<bins * bands).map { rows[$0 % bands * bins + $0 / bands] }
  }
}

extension AudioBuffer {
  /// Mean of the channels at another rate: what embedders hear. Throws ``EvaluationError`` for sound that
  /// cannot be embedded, and where resampling fails.
  func heard(by embedder: String, at rate: Int) throws -> [Float] {
    guard frameCount > 0 else { throw EvaluationError("\(embedder): there is no sound to embed") }
    let mono = converted(toChannels: 1)
    guard mono.channels[0].allSatisfy(\.isFinite) else {
      throw EvaluationError("\(embedder): the sound contains values that are no numbers; it is damaged")
    }
    do { return try mono.resampled(to: rate).channels[0] } catch {
      throw EvaluationError("\(embedder): \(error)")
    }
  }
}

extension Array where Element == Float {
  /// Zeros after the values, up to a count.
  func padded(to count: Int) -> [Float] {
    self + [Float](repeating: 0, count: Swift.max(0, count - self.count))
  }
}
