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

/// Uniform weights in no time: what they are does not matter to a measurement of speed, as long as they are not all zero.
private final class QuickWeights: WeightSource {
  private let precision: WeightPrecision
  private var state: UInt64 = 1

  init(precision: WeightPrecision) { self.precision = precision }

  func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    let count = shape.reduce(1, *)
    // About what a trained layer has: outputs of the size of its inputs.
    let scale = 2 * (3 / Float(shape.count > 1 ? shape[1] : 300)).squareRoot()
    let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      for index in 0..<count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        buffer[index] = (Float(state >> 40) / 16_777_216 - 0.5) * scale
      }
      initialized = count
    }
    let weight = Weight(name: name, shape: shape, values: values)
    return weight.converted(to: precision.format(of: weight))
  }
}
