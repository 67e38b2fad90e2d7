import LegatoTensor

/// A causal ConvNeXt block (Liu et al. 2022, in one dimension as in Vocos, Siuzdak 2023).
///
/// ```
/// y = x + gain · contract(GELU(expand(LayerNorm(depthwise(x)))))        x, y [B, T, width]
/// ```
public struct ConvNeXtBlock: Sendable {
  public let width: Int
  public let kernel: Int
  private let depthwise: Weight
  private let depthwiseBias: Weight
  private let norm: LayerNorm
  private let expand: Linear
  private let contract: Linear
  private let gain: Weight

  public init(_ scope: WeightScope, width: Int, kernel: Int = 7, expansion: Int = 3) throws {
    self.width = width
    self.kernel = kernel
    depthwise = try scope.weight("depthwise.weight", [width, kernel], .linear(inputs: kernel))
    depthwiseBias = try scope.weight("depthwise.bias", [width], .zeros)
    norm = try LayerNorm(scope["norm"], width)
    expand = try Linear(scope["expand"], width, expansion * width)
    contract = try Linear(scope["contract"], expansion * width, width)
    gain = try scope.weight("gain", [width], .constant(0.1))
  }

  /// The last `kernel − 1` inputs: `[slots, kernel − 1, width]`.
  public struct State {
    var tail: StateTensor
  }

  public func makeState(in stream: StreamState) -> State { State(tail: stream.make([kernel - 1, width])) }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let backend = x.backend
    return mix(
      x, .apply(.depthwiseConvolution, [x, backend.tensor(of: depthwise), backend.tensor(of: depthwiseBias)]))
  }

  public func callAsFunction(_ x: Tensor, state: inout State, slots: Tensor) -> Tensor {
    let backend = x.backend
    return mix(
      x,
      x.depthwiseConvolution(
        backend.tensor(of: depthwise), bias: backend.tensor(of: depthwiseBias), tail: &state.tail,
        slots: slots))
  }

  private func mix(_ x: Tensor, _ convolved: Tensor) -> Tensor {
    x + contract(expand(norm(convolved)).gelu()) * x.backend.tensor(of: gain)
  }
}
