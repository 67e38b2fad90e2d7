import LegatoTensor

/// Windows, short-time Fourier transforms and mel filter banks as differentiable operations.
public enum Spectral {
  /// Periodic Hann window.
  public static func hann(_ size: Int) -> [Float] {
    (0..<size).map { Float(0.5 - 0.5 * Double.cosine(2 * .pi * Double($0) / Double(size))) }
  }

  /// Spectra of x `[..., length]` → `[..., frames, 2, size/2 + 1]` (real parts, then imaginary); no padding.
  public static func transform(_ x: Tensor, size: Int, hop: Int) -> Tensor {
    (x.frame(size: size, hop: hop) * x.backend.tensor(hann(size), shape: [size])).rfft()
  }

  /// Magnitudes √(re² + im² + 1e-9) of x `[..., length]` → `[..., frames, size/2 + 1]`.
  public static func magnitude(_ x: Tensor, size: Int, hop: Int) -> Tensor {
    let spectrum = transform(x, size: size, hop: hop)
    let power = spectrum.square().sum(axis: -2)
    return (power.reshape(Array(spectrum.shape.dropLast(2)) + [size / 2 + 1]) + 1e-9).sqrt()
  }

  /// Natural logarithm of mel bands, not under `floor`: magnitudes `[..., bins]` and filters `[bands, bins]` → `[..., bands]`.
  public static func logMel(_ magnitude: Tensor, filters: Tensor, floor: Float) -> Tensor {
    magnitude.matmul(filters, transposed: true).maximum(floor).log()
  }

  /// Triangular filters, equally spaced in Slaney's mel scale, each of unit area: `[bands, size/2 + 1]`.
  public static func melFilters(
    bands: Int, size: Int, sampleRate: Int, from low: Double = 0, to high: Double? = nil
  ) -> [Float] {
    // Linear below 1 kHz (200/3 Hz a mel), logarithmic above (Slaney, Auditory Toolbox 1998).
    func mel(_ hertz: Double) -> Double {
      hertz < 1000 ? hertz * 3 / 200 : 15 + 27 * Double.logarithm(hertz / 1000) / Double.logarithm(6.4)
    }
    func hertz(_ mel: Double) -> Double {
      mel < 15 ? mel * 200 / 3 : 1000 * Double.exponential((mel - 15) / 27 * Double.logarithm(6.4))
    }
    let (first, last) = (mel(low), mel(high ?? Double(sampleRate) / 2))
    let edges = (0...(bands + 1)).map { hertz(first + (last - first) * Double($0) / Double(bands + 1)) }
    let bins = size / 2 + 1
    var filters = [Float](repeating: 0, count: bands * bins)
    for band in 0..<bands {
      let (left, centre, right) = (edges[band], edges[band + 1], edges[band + 2])
      for bin in 0..<bins {
        let frequency = Double(bin) * Double(sampleRate) / Double(size)
        let height = min((frequency - left) / (centre - left), (right - frequency) / (right - centre))
        filters[band * bins + bin] = Float(max(0, height) * 2 / (right - left))
      }
    }
    return filters
  }
}
