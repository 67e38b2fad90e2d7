#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Power spectra of Hann-windowed frames by a radix-2 transform; for pictures and measures only.
struct FourierTransform {
  /// Samples a frame, a power of two.
  let size: Int
  private let window: [Float]
  private let cosines: [Float]
  private let sines: [Float]
  private let order: [Int]

  init(size: Int = 2048) {
    precondition(size > 1 && size & (size - 1) == 0, "FourierTransform: \(size) is not a power of two")
    self.size = size
    window = (0..<size).map { Float(0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(size))) }
    cosines = (0..<size / 2).map { Float(cos(2 * .pi * Double($0) / Double(size))) }
    sines = (0..<size / 2).map { Float(-sin(2 * .pi * Double($0) / Double(size))) }
    let bits = size.trailingZeroBitCount
    order = (0..<size).map { index in
      (0..<bits).reduce(0) { $0 | (index >> $1 & 1) << (bits - 1 - $1) }
    }
  }

  /// Power in `size / 2 + 1` bins of the frame that starts at `start`; what lies outside `samples` is
  /// silence.
  ///
  /// A full-scale sine has power 1 in its bin.
  func power(_ samples: [Float], start: Int) -> [Float] {
    var real = [Float](repeating: 0, count: size)
    var imaginary = [Float](repeating: 0, count: size)
    for index in 0..<size {
      let source = start + order[index]
      if samples.indices.contains(source) { real[index] = samples[source] * window[order[index]] }
    }
    transform(&real, &imaginary)
    // The Hann window halves the amplitude and a real sine spreads over two bins of size/2.
    let scale = 16 / (Float(size) * Float(size))
    return (0...size / 2).map { (real[$0] * real[$0] + imaginary[$0] * imaginary[$0]) * scale }
  }

  private func transform(_ real: inout [Float], _ imaginary: inout [Float]) {
    real.withUnsafeMutableBufferPointer { real in
      imaginary.withUnsafeMutableBufferPointer { imaginary in
        var half = 1
        while half < size {
          let stride = size / (2 * half)
          for base in Swift.stride(from: 0, to: size, by: 2 * half) {
            for offset in 0..<half {
              let (c, s) = (cosines[offset * stride], sines[offset * stride])
              let (top, bottom) = (base + offset, base + offset + half)
              let r = real[bottom] * c - imaginary[bottom] * s
              let i = real[bottom] * s + imaginary[bottom] * c
              real[bottom] = real[top] - r
              imaginary[bottom] = imaginary[top] - i
              real[top] += r
              imaginary[top] += i
            }
          }
          half *= 2
        }
      }
    }
  }
}
