#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension Float {
  /// base to the power of exponent.
  public static func power(_ base: Float, _ exponent: Float) -> Float {
    Float(pow(Double(base), Double(exponent)))
  }
}

extension Double {
  /// Natural logarithm, exponential function and cosine of the C library, without Foundation.
  public static func logarithm(_ x: Double) -> Double { log(x) }
  public static func exponential(_ x: Double) -> Double { exp(x) }
  public static func cosine(_ x: Double) -> Double { cos(x) }
}
