#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A colour scale for levels: dark indigo through magenta and orange to pale yellow.
///
/// Lightness rises linearly in Oklab (Ottosson 2020), so equal steps of level look equally large, also in
/// grey.
enum ColorMap {
  /// 240 colours `0xRRGGBB`, leaving the rest of a 256-colour palette to text and axes.
  static let table: [UInt32] = (0..<240).map { color(Double($0) / 239) }

  /// The colour of a level in 0...1.
  static func color(level: Float) -> UInt32 {
    table[Int((min(max(level, 0), 1) * 239).rounded())]
  }

  private static func color(_ t: Double) -> UInt32 {
    let lightness = 0.13 + 0.84 * t
    let hue = (282 + 185 * t * (0.55 + 0.45 * t)) * .pi / 180
    // Colour is strongest in the middle, and little is left at the light end.
    var chroma = 0.035 + 0.72 * t * (1 - t) * (1 - 0.28 * t) + 0.06 * t
    // Less of it where the screen cannot show it.
    while chroma > 0 {
      if let pixel = pixel(lightness, chroma * cos(hue), chroma * sin(hue)) { return pixel }
      chroma -= 0.002
    }
    return pixel(lightness, 0, 0) ?? 0
  }

  /// Oklab to sRGB; nil outside the gamut.
  private static func pixel(_ lightness: Double, _ a: Double, _ b: Double) -> UInt32? {
    func cube(_ x: Double) -> Double { x * x * x }
    let l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b)
    let m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b)
    let s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b)
    let linear = [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    ]
    var result: UInt32 = 0
    for value in linear {
      if value < -1e-3 || value > 1.001 { return nil }
      let clipped = min(max(value, 0), 1)
      let encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * pow(clipped, 1 / 2.4) - 0.055
      result = result << 8 | UInt32((encoded * 255).rounded())
    }
    return result
  }
}
