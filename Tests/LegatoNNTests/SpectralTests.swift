import LegatoNN
import LegatoTensor
import Testing

@Suite struct SpectralTests {
  @Test func magnitudesOfASinusoid() {
    // A sinusoid of amplitude A on bin k has magnitude A · size / 4 there under a periodic Hann window.
    let engine = CPUEngine(threads: 1)
    let (size, bin, amplitude) = (512, 20, Float(0.5))
    let signal = (0..<2048).map {
      amplitude * Float(Double.cosine(2 * .pi * Double(bin) * Double($0) / Double(size)))
    }
    let magnitude = Spectral.magnitude(engine.tensor(signal, shape: [1, 2048]), size: size, hop: 128)
    #expect(magnitude.shape == [1, 13, 257])
    let row = Array(magnitude.floats()[0..<257])
    #expect(abs(row[bin] - amplitude * 128) < 1e-2)
    #expect(abs(row[bin + 1] - amplitude * 64) < 1e-2)
    #expect(row[bin + 5] < 1e-2)
  }

  @Test func framesOverlapAddToTheSignal() {
    // Squared Hann windows at a quarter of their size sum to 1.5.
    let engine = CPUEngine(threads: 1)
    let signal = RandomStream(seed: 1, stream: 1).normal(4096)
    let window = engine.tensor(Spectral.hann(512), shape: [512])
    let frames = engine.tensor(signal, shape: [1, 4096]).frame(size: 512, hop: 128) * window
    let back = (frames.rfft().irfft() * window / 1.5).overlapAdd(hop: 128).floats()
    for index in 512..<3584 { #expect(abs(back[index] - signal[index]) < 1e-4) }
  }

  @Test func melFiltersCoverTheBandWithUnitArea() {
    let (bands, size, rate) = (80, 2048, 48_000)
    let filters = Spectral.melFilters(bands: bands, size: size, sampleRate: rate)
    let width = Double(rate) / Double(size)
    var lastCentre = -1.0
    for band in 0..<bands {
      let row = filters[band * 1025..<(band + 1) * 1025]
      let area = row.reduce(0) { $0 + Double($1) } * width
      // Narrow bands are sampled by few bins.
      #expect(abs(area - 1) < (band < 20 ? 0.5 : 0.1), "band \(band) has area \(area)")
      let centre =
        zip(row, 0...).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } / row.reduce(0.0) { $0 + Double($1) }
      #expect(centre > lastCentre)
      lastCentre = centre
    }
  }
}
