import LegatoTensor

/// A two-dimensional convolution whose kernels are a direction and a length each (weight normalisation, Salimans and
/// Kingma 2016).
///
/// ```
/// y = conv(x, gain · v / |v|) + bias        x [B, inputs, H, W], y [B, outputs, H', W']
/// ```
public struct Convolution2d: Sendable {
  public let stride: [Int]
  public let padding: [Int]
  private let direction: Weight
  private let gain: Weight
  private let bias: Weight

  /// - Parameters:
  ///   - kernel: height and width, odd numbers; so many zeros surround the input that only strides shorten it.
  public init(_ scope: WeightScope, _ inputs: Int, _ outputs: Int, kernel: [Int], stride: [Int] = [1, 1])
    throws
  {
    self.stride = stride
    padding = kernel.map { ($0 - 1) / 2 }
    let patch = inputs * kernel[0] * kernel[1]
    direction = try scope.weight("direction", [outputs, inputs] + kernel, .linear(inputs: patch))
    // The length of such a direction, so that training starts from the usual initialisation.
    gain = try scope.weight("gain", [outputs], .constant((1 / Float(3)).squareRoot()))
    bias = try scope.weight("bias", [outputs], .zeros)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let backend = x.backend
    let v = backend.tensor(of: direction)
    let outputs = v.dim(0)
    let lengths = v.reshape([outputs, -1]).square().sum(axis: 1)
    let scale = (lengths + 1e-12).rsqrt() * backend.tensor(of: gain).reshape([outputs, 1])
    return .apply(
      .convolution2d(stride: stride, padding: padding),
      [x, v * scale.reshape([outputs, 1, 1, 1]), backend.tensor(of: bias)])
  }
}
