/// SplitMix64 with the few draws that composing needs.
///
/// The standard library's `random(in:using:)` may change its algorithm between releases; these may not, so
/// that a seed gives the same composition for ever. Only `+ - * /` are used, which round alike everywhere.
struct SeededGenerator: Sendable {
  private var state: UInt64

  /// A generator whose stream depends on `seed` and on every element of `path`.
  init(seed: UInt64, path: Int...) {
    state = seed
    for element in path {
      state ^= UInt64(bitPattern: Int64(element)) &* 0xD6E8_FEB8_6659_FD93
      state = next()
    }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in [0, 1).
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
  mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * unit()
  }
  mutating func int(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }
  mutating func chance(_ probability: Double) -> Bool { unit() < probability }
  /// Close to normal with mean 0 and deviation 1, and never beyond ±3.5: a sum of four uniforms.
  mutating func bell() -> Double { (unit() + unit() + unit() + unit() - 2) * 1.732_050_807_568_877 }

  /// One of `elements`, which must not be empty.
  mutating func pick<T>(_ elements: [T]) -> T { elements[int(0...elements.count - 1)] }
  mutating func shuffled<T>(_ elements: [T]) -> [T] {
    var result = elements
    for i in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(i, int(0...i)) }
    return result
  }
}
