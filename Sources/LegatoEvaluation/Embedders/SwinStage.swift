import LegatoNN
import LegatoTensor

/// Blocks of one resolution of a Swin transformer (Liu et al. 2021), and the merging of their tokens, under the names of
/// transformers' `ClapAudioStage`.
///
/// x `[B, side, side, width]` → the same, or `[B, side / 2, side / 2, 2 · width]` where another stage follows.
struct SwinStage {
  private let blocks: [SwinBlock]
  private let merging: (norm: LayerNorm, reduction: Linear)?

  init(
    _ scope: WeightScope, width: Int, heads: Int, depth: Int, side: Int, isLast: Bool, on backend: any Backend
  ) throws {
    blocks = try (0..<depth).map { index in
      // Every other block looks at windows that lie between those of its neighbours, where there is more than one.
      let shift = index % 2 == 1 && side > SwinBlock.window ? SwinBlock.window / 2 : 0
      return try SwinBlock(
        scope["blocks"][index], width: width, heads: heads, side: side, shift: shift, on: backend)
    }
    merging =
      isLast
      ? nil
      : (
        try LayerNorm(scope["downsample"]["norm"], 4 * width),
        try Linear(scope["downsample"]["reduction"], 4 * width, 2 * width, bias: false)
      )
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var x = x
    for block in blocks { x = block(x) }
    guard let merging else { return x }
    let (n, half, width) = (x.dim(0), x.dim(1) / 2, x.dim(3))
    // Of four neighbours, the lower one comes before the right one.
    let four = x.reshape([n * half, 2, half, 2, width]).permute([0, 2, 3, 1, 4])
      .reshape([n, half, half, 4 * width])
    return merging.reduction(merging.norm(four))
  }
}

/// Attention within windows of 8 × 8 tokens, and a layer of two linear maps, each added to what came in.
private struct SwinBlock {
  static let window = 8

  private let heads: Int
  private let shift: Int
  private let before: LayerNorm
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let biases: Weight
  private let output: Linear
  private let after: LayerNorm
  private let up: Linear
  private let down: Linear
  /// Rows of the table of biases for every two tokens of a window.
  private let pairs: Tensor
  /// `[windows, 1, 64, 64]`: −100 where two tokens of a window are no neighbours in the image.
  private let mask: Tensor?

  init(_ scope: WeightScope, width: Int, heads: Int, side: Int, shift: Int, on backend: any Backend) throws {
    (self.heads, self.shift) = (heads, shift)
    let attention = scope["attention"]
    before = try LayerNorm(scope["layernorm_before"], width)
    query = try Linear(attention["self"]["query"], width, width)
    key = try Linear(attention["self"]["key"], width, width)
    value = try Linear(attention["self"]["value"], width, width)
    let span = 2 * Self.window - 1
    biases = try attention["self"].weight("relative_position_bias_table", [span * span, heads], .zeros)
    output = try Linear(attention["output"]["dense"], width, width)
    after = try LayerNorm(scope["layernorm_after"], width)
    up = try Linear(scope["intermediate"]["dense"], width, 4 * width)
    down = try Linear(scope["output"]["dense"], 4 * width, width)

    let tokens = Self.window * Self.window
    let places = (0..<tokens).map { ($0 / Self.window, $0 % Self.window) }
    let indices = places.flatMap { a in
      places.map { b in
        Int32((a.0 - b.0 + Self.window - 1) * span + a.1 - b.1 + Self.window - 1)
      }
    }
    pairs = backend.tensor(indices, shape: [tokens * tokens])
    mask = shift == 0 ? nil : Self.mask(side: side, shift: shift, on: backend)
  }

  /// Rolled by the shift, the image's last windows hold tokens from both of its ends.
  private static func mask(side: Int, shift: Int, on backend: any Backend) -> Tensor {
    func region(_ place: Int) -> Int { place < side - window ? 0 : place < side - shift ? 1 : 2 }
    let (across, tokens) = (side / window, window * window)
    var values: [Float] = []
    values.reserveCapacity(across * across * tokens * tokens)
    for index in 0..<across * across {
      let regions = (0..<tokens).map { token in
        3 * region(index / across * window + token / window)
          + region(index % across * window + token % window)
      }
      for a in regions { for b in regions { values.append(a == b ? 0 : -100) } }
    }
    return backend.tensor(values, shape: [across * across, 1, tokens, tokens])
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let attended = x + rolled(windowed(rolled(before(x), by: shift)), by: -shift)
    return attended + down(up(after(attended)).exactGELU())
  }

  /// `[B, side, side, width]`, moved up and left around the edges.
  private func rolled(_ x: Tensor, by shift: Int) -> Tensor {
    guard shift != 0 else { return x }
    return [1, 2].reduce(x) { x, axis in
      let cut = shift > 0 ? shift : x.dim(axis) + shift
      return .concatenate(
        [x.slice(axis: axis, cut..<x.dim(axis)), x.slice(axis: axis, 0..<cut)], axis: axis)
    }
  }

  /// Attention of each window `[B, side, side, width]` → the same.
  private func windowed(_ x: Tensor) -> Tensor {
    let (n, side, width) = (x.dim(0), x.dim(1), x.dim(3))
    let (across, window) = (side / Self.window, Self.window)
    let tokens = window * window
    let windows = x.reshape([n * across, window, across, window, width]).permute([0, 2, 1, 3, 4])
      .reshape([n * across * across, tokens, width])
    func head(_ x: Tensor) -> Tensor {
      x.reshape([-1, tokens, heads, width / heads]).permute([0, 2, 1, 3])
    }
    let scale = 1 / Float(width / heads).squareRoot()
    let bias = x.backend.tensor(of: biases).gather(pairs).reshape([tokens, tokens, heads]).permute([2, 0, 1])
    var scores =
      head(query(windows) * scale).matmul(head(key(windows)), transposed: true)
      + bias.reshape([1, heads, tokens, tokens])
    if let mask {
      scores = (scores.reshape([n, across * across, heads, tokens, tokens]) + mask)
        .reshape([-1, heads, tokens, tokens])
    }
    let mixed = scores.softmax().matmul(head(value(windows))).permute([0, 2, 1, 3])
      .reshape([-1, tokens, width])
    return output(mixed).reshape([n * across, across, window, window, width]).permute([0, 2, 1, 3, 4])
      .reshape([n, side, side, width])
  }
}
