/// Conversions between `Float` and the 16-bit formats, on bits, so that they are the same everywhere
/// (`Float16` does not exist on Intel Macs).
package enum FloatBits {
  /// bfloat16, round to nearest even. NaN stays NaN.
  package static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  package static func float(bfloat16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// IEEE half precision, round to nearest even; beyond 65,504 by half a step it is infinite.
  package static func float16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(bits >> 16 & 0x8000)
    let magnitude = bits & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 | UInt16(magnitude >> 13 & 0x1FF) }
    // 65,520 and above round to infinity.
    if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
    if magnitude >= 0x3880_0000 {
      let rebased = magnitude - 0x3800_0000
      return sign | UInt16((rebased + 0xFFF + (rebased >> 13 & 1)) >> 13)
    }
    // At most half of the smallest subnormal rounds to zero; this also keeps the shift below in range.
    if magnitude <= 0x3300_0000 { return sign }
    let shift = 126 - (magnitude >> 23)
    let significand = magnitude & 0x7F_FFFF | 0x80_0000
    let kept = significand >> shift
    let rest = significand & (1 << shift - 1)
    let half: UInt32 = 1 << (shift - 1)
    let roundUp = rest > half || (rest == half && kept & 1 == 1)
    return sign | UInt16(kept + (roundUp ? 1 : 0))
  }

  package static func float(float16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10 & 0x1F)
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:
      // Subnormals are exact multiples of 2⁻²⁴.
      let magnitude = Float(fraction) * 0x1p-24
      return Float(bitPattern: magnitude.bitPattern | sign)
    case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
