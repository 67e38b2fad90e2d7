extension Tensor {
  /// A fused operation written with primitives: what it means, and what a backend without it executes.
  public static func composition(of operation: Operation, _ x: [Tensor]) -> Tensor {
    switch operation {
    case .linear:
      let y = x[0].matmul(x[1], transposed: true)
      return x.count > 2 ? y + x[2] : y
    case .layerNorm(let epsilon):
      let centred = x[0] - x[0].mean(axis: -1)
      var y = centred * (centred.square().mean(axis: -1) + epsilon).rsqrt()
      if x.count > 1 { y = y * x[1] }
      return x.count > 2 ? y + x[2] : y
    case .rmsNorm(let epsilon):
      let y = x[0] * (x[0].square().mean(axis: -1) + epsilon).rsqrt()
      return x.count > 1 ? y * x[1] : y
    case .rotary(let base, let pairs):
      return rotaryComposition(x[0], positions: x[1], base: base, pairs: pairs)
    case .attention(let window):
      return attentionComposition(x, window: window)
    case .depthwiseConvolution:
      let (input, weight) = (x[0], x[1])
      let width = weight.dim(1)
      let padded = input.pad(axis: 1, before: width - 1)
      var y: Tensor?
      for tap in 0..<width {
        let term =
          padded.slice(axis: 1, tap..<tap + input.dim(1)) * weight.slice(axis: 1, tap..<tap + 1).reshape([-1])
        y = y.map { $0 + term } ?? term
      }
      guard let y else { preconditionFailure("\(operation): kernel of width 0") }
      return x.count > 2 ? y + x[2] : y
    case .convolution2d(let stride, let padding):
      return convolutionComposition(x, stride: stride, padding: padding)
    case .modulate:
      return x[0] * (x[2] + 1) + x[1]
    case .gatedAdd:
      return x[0] + x[1] * x[2]
    default:
      preconditionFailure("\(operation) is a primitive")
    }
  }

  /// Every patch that the kernel sees as a row, times the kernels as a matrix.
  private static func convolutionComposition(_ x: [Tensor], stride: [Int], padding: [Int]) -> Tensor {
    let (input, weight) = (x[0], x[1])
    let (outputs, height, width) = (weight.dim(0), weight.dim(2), weight.dim(3))
    let shape = Operation.convolution2d(stride: stride, padding: padding).resultShape(x.map(\.shape))
    let padded = input.pad(axis: 2, before: padding[0], after: padding[0])
      .pad(axis: 3, before: padding[1], after: padding[1])
    let used = padded.slice(axis: 2, 0..<(shape[2] - 1) * stride[0] + height)
      .slice(axis: 3, 0..<(shape[3] - 1) * stride[1] + width)
    // [B, C, H, W'·w] → [B, C, W', w, H'·h] → [B, H', W', C, h, w]
    let patches = used.frame(size: width, hop: stride[1]).permute([0, 1, 3, 4, 2])
      .frame(size: height, hop: stride[0]).permute([0, 4, 2, 1, 5, 3])
      .reshape([shape[0], shape[2] * shape[3], weight.dim(1) * height * width])
    var y = patches.matmul(weight.reshape([outputs, -1]), transposed: true)
    if x.count > 2 { y = y + x[2] }
    return y.permute([0, 2, 1]).reshape(shape)
  }

  private static func rotaryComposition(_ x: Tensor, positions: Tensor, base: Float, pairs: Int) -> Tensor {
    let half = x.dim(3) / 2
    let backend = x.backend
    let host = backend.floats(positions).map { Double($0) }
    let frequencies = (0..<half).map {
      $0 < pairs ? exponential(-Double($0) / Double(half) * logarithm(Double(base))) : 0
    }
    let angles = host.flatMap { position in frequencies.map { position * $0 } }
    let cosines = backend.tensor(angles.map { Float(cosine($0)) }, shape: [host.count, 1, half])
    let sines = backend.tensor(angles.map { Float(sine($0)) }, shape: [host.count, 1, half])
    let (a, b) = (x.slice(axis: 3, 0..<half), x.slice(axis: 3, half..<2 * half))
    return concatenate([a * cosines - b * sines, a * sines + b * cosines], axis: 3)
  }

  private static func attentionComposition(_ x: [Tensor], window: Int) -> Tensor {
    let (b, t, h, d) = (x[0].dim(0), x[0].dim(1), x[0].dim(2), x[0].dim(3))
    let backend = x[0].backend
    func heads(_ tensor: Tensor) -> Tensor { tensor.permute([0, 2, 1, 3]) }
    var (k, v, sinks) = (heads(x[1]), heads(x[2]), 0)
    if x.count > 3 {
      sinks = x[3].dim(0)
      let shape = [b, h, sinks, d]
      k = concatenate([x[3].permute([1, 0, 2]).broadcast(to: shape), k], axis: 2)
      v = concatenate([x[4].permute([1, 0, 2]).broadcast(to: shape), v], axis: 2)
    }
    var mask = [Float](repeating: 0, count: t * (sinks + t))
    for query in 0..<t {
      for key in 0..<t where key > query || key + window <= query {
        mask[query * (sinks + t) + sinks + key] = -1e30
      }
    }
    let scores = heads(x[0]).matmul(k, transposed: true) * (1 / Float(d).squareRoot())
    let weights = (scores + backend.tensor(mask, shape: [t, sinks + t])).softmax()
    return weights.matmul(v).permute([0, 2, 1, 3])
  }
}
