import LegatoTensor

/// A two-dimensional convolution as published networks store it: `weight` `[outputs, inputs, h, w]`, `bias` `[outputs]`.
///
/// x `[B, inputs, H, W]` → `[B, outputs, H', W']`.
struct PlainConvolution2d {
  private let weight: Weight
  private let bias: Weight?
  private let operation: Operation

  init(
    _ scope: WeightScope, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    bias: Bool
  ) throws {
    let initial = Initializer.linear(inputs: inputs * kernel * kernel)
    weight = try scope.weight("weight", [outputs, inputs, kernel, kernel], initial)
    self.bias = bias ? try scope.weight("bias", [outputs], .zeros) : nil
    operation = .convolution2d(stride: [stride, stride], padding: [padding, padding])
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let backend = x.backend
    return .apply(operation, [x, backend.tensor(of: weight)] + (bias.map { [backend.tensor(of: $0)] } ?? []))
  }
}

/// Batch normalisation with the statistics of training (Ioffe and Szegedy 2015): y = (x − mean) / √(variance + 1e-5) · weight + bias.
struct BatchNorm {
  private let weight: Weight
  private let bias: Weight
  private let mean: Weight
  private let variance: Weight

  init(_ scope: WeightScope, _ channels: Int) throws {
    weight = try scope.weight("weight", [channels], .constant(1))
    bias = try scope.weight("bias", [channels], .zeros)
    mean = try scope.weight("running_mean", [channels], .zeros)
    variance = try scope.weight("running_var", [channels], .constant(1))
  }

  /// - Parameter shape: what the values of the channels are brought to, so that they broadcast over x.
  func callAsFunction(_ x: Tensor, shape: [Int]) -> Tensor {
    let backend = x.backend
    let scale = backend.tensor(of: weight) * (backend.tensor(of: variance) + 1e-5).rsqrt()
    let shift = backend.tensor(of: bias) - backend.tensor(of: mean) * scale
    return x * scale.reshape(shape) + shift.reshape(shape)
  }
}

extension Tensor {
  /// Maximum or mean of every 2 × 2 in the last two axes of `[B, C, H, W]`; an odd last row or column is left out.
  func pooled(_ reduction: Operation.Reduction) -> Tensor {
    let (height, width) = (dim(2) / 2, dim(3) / 2)
    return slice(axis: 2, 0..<2 * height).slice(axis: 3, 0..<2 * width)
      .reshape([dim(0), dim(1), height, 2, 2 * width]).reduced(reduction, axis: 3)
      .reshape([dim(0), dim(1), height, width, 2]).reduced(reduction, axis: 4)
      .reshape([dim(0), dim(1), height, width])
  }

  private func reduced(_ reduction: Operation.Reduction, axis: Int) -> Tensor {
    .apply(.reduce(reduction, axis: axis), [self])
  }

  /// x · Φ(x), the GELU of published transformers, where `gelu()` is its tanh form, which is up to 5e-4 away.
  ///
  /// Φ by Abramowitz and Stegun 7.1.26: erf within 1.5e-7.
  func exactGELU() -> Tensor {
    let size = abs()
    let t = (size * (0.327_591_1 * Float(0.5).squareRoot()) + 1).rsqrt().square()
    var polynomial = t * 1.061_405_429
    for coefficient: Float in [-1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592] {
      polynomial = (polynomial + coefficient) * t
    }
    return relu() - size * polynomial * (square() * -0.5).exp() * 0.5
  }

  /// Rows of unit length along the last axis.
  func unitRows() -> Tensor { self / square().sum(axis: -1).sqrt().maximum(1e-12) }
}
