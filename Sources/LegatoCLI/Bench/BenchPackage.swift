import LegatoCodecs
import LegatoModels
import LegatoTensor

/// Packages in memory, to measure.
enum BenchPackage {
  /// Random weights of a preset's sizes, with the codec 'small' or, where there is one, that of the same name.
  static func random(preset: String, weights: WeightPrecision) throws -> ModelPackage {
    guard let sizes = ContinuousModelConfiguration.preset(preset),
      var codecSizes = SpectralCodecConfiguration.preset(preset) ?? SpectralCodecConfiguration.preset("small")
    else {
      throw CommandError("there is no preset '\(preset)'")
    }
    codecSizes.latentDimension = sizes.latentDimension
    let source = QuickWeights(precision: weights)
    let codec = try SpectralCodec(codecSizes, weights: source)
    return ModelPackage(
      model: try ContinuousModel(sizes, weights: source),
      codec: CodecPackage(codec: codec, configuration: .init(name: preset, licence: "", codec: codecSizes)),
      configuration: .init(name: preset, licence: "", model: sizes))
  }
}

/// Uniform weights in no time, made in the format that they are wanted in, so that a process takes no more memory than with a package
/// of that format: what they are does not matter to a measurement of speed, as long as they are not all zero.
private final class QuickWeights: WeightSource {
  private let precision: WeightPrecision
  private var state: UInt64 = 1
  /// Values before they are laid out: one piece of memory, which the system gets back as a whole.
  private var values = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 20, alignment: 64)

  init(precision: WeightPrecision) { self.precision = precision }
  deinit { values.deallocate() }

  func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    // What is divided by.
    if case .constant(let value) = initial {
      return Weight(
        name: name, shape: shape, values: Array(repeating: value, count: shape.reduce(1, *)))
    }
    // About what a trained layer has: outputs of the size of its inputs.
    let most = (3 / Float(shape.count > 1 ? shape[1] : 300)).squareRoot()
    let empty = Weight(name: name, shape: shape, format: .float32, storage: .init(byteCount: 0) { _ in })
    let format = precision.format(of: empty)
    let count = empty.count
    func dense(_ width: Int, _ fill: (UnsafeMutableRawBufferPointer, Int) -> Void) -> Weight {
      let storage = WeightStorage(byteCount: count * width) { memory in
        for index in 0..<count { fill(memory, index) }
      }
      return Weight(name: name, shape: shape, format: format, storage: storage)
    }
    /// The same scale for all.
    func rounded(_ bytes: Int, scale: Float, group: Int, _ make: () -> UInt8) throws -> Weight {
      if bytes > values.count {
        values.deallocate()
        values = .allocate(byteCount: bytes, alignment: 64)
      }
      for index in 0..<bytes { values[index] = make() }
      let weight = [Float](repeating: scale, count: count / group).withUnsafeBufferPointer {
        Weight(
          name: name, shape: shape, format: format,
          values: UnsafeRawBufferPointer(rebasing: values[..<bytes]), scales: $0)
      }
      guard let weight else { throw ModelError.invalid(file: name, reason: "there is no memory for it") }
      return weight
    }
    switch format {
    case .float32:
      return dense(4) { $0.storeBytes(of: uniform() * most, toByteOffset: 4 * $1, as: Float.self) }
    case .bfloat16:
      return dense(2) {
        $0.storeBytes(
          of: UInt16((uniform() * most).bitPattern >> 16), toByteOffset: 2 * $1, as: UInt16.self)
      }
    case .int8(let group):
      return try rounded(count, scale: most / 127, group: group) {
        UInt8(bitPattern: Int8(uniform() * 127))
      }
    case .int4(let group):
      return try rounded(count / 2, scale: most / 8, group: group) { UInt8(truncatingIfNeeded: next()) }
    }
  }

  private func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 40
  }

  /// From −1 to 1.
  private func uniform() -> Float { Float(next()) / 8_388_608 - 1 }
}
