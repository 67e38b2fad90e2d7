/// A tensor operation with its attributes: what a backend executes and a plan records.
///
/// Operands are tensors and are listed beside each case. The fused operations (from ``linear`` on) have a
/// default composition of primitives (``Tensor/composition(of:_:)``) that a backend may override.
public enum Operation: Sendable, Hashable {
  // MARK: Primitives

  /// `[x]`, element by element.
  case unary(Unary)
  /// `[a, b]`, broadcasting as NumPy does.
  case binary(Binary)
  /// `[x]`: x (function) constant.
  case scalar(Binary, Float)
  /// `[condition, a, b]` of equal shapes: a where condition ≠ 0, else b.
  case select
  /// `[x]`; the axis stays with length 1.
  case reduce(Reduction, axis: Int)
  /// `[x]`, over the last axis.
  case softmax
  /// `[a, b]`: a `[..., M, K]`, b `[..., K, N]`, or `[..., N, K]` when transposed; leading axes broadcast.
  case matmul(transposed: Bool)
  case reshape([Int])
  case permute([Int])
  case slice(axis: Int, from: Int, to: Int)
  /// Any number of tensors.
  case concatenate(axis: Int)
  /// Zeros before and after along one axis.
  case pad(axis: Int, before: Int, after: Int)
  case broadcast([Int])
  /// `[table [V, D], indices int32 [...]]` → `[..., D]`.
  case gather
  /// `[x [..., length]]` → `[..., frames, size]`, frames = (length − size) / hop + 1.
  case frame(size: Int, hop: Int)
  /// `[x [..., frames, size]]` → `[..., (frames − 1) · hop + size]`.
  case overlapAdd(hop: Int)
  /// `[x [..., n]]` → `[..., 2, n/2 + 1]`: real parts, then imaginary.
  case rfft
  /// `[X [..., 2, n/2 + 1]]` → `[..., n]`, scaled by 1/n.
  case irfft

  // MARK: Fused

  /// `[x [..., K], weight [N, K], bias [N]?]` → `[..., N]`.
  case linear
  /// `[x [..., n], weight [n]?, bias [n]?]`.
  case layerNorm(epsilon: Float)
  /// `[x [..., n], weight [n]?]`.
  case rmsNorm(epsilon: Float)
  /// `[x [B, T, H, D], positions int32 [T]]`; rotates the pairs (j, j + D/2) by position · base^(−2j/D), j < pairs.
  case rotary(base: Float, pairs: Int)
  /// `[q, k, v [B, T, H, D], sinkK, sinkV [S, H, D]?]`: position t sees t − window + 1 … t, and every sink. Scale 1/√D.
  case attention(window: Int)
  /// `[x [B, T, C], weight [C, K], bias [C]?]`, causal: zeros before the start.
  case depthwiseConvolution
  /// `[x [B, C, H, W], weight [O, C, h, w], bias [O]?]` → `[B, O, H', W']`, with zeros around: two numbers an attribute,
  /// for height and width. The CPU engine runs its composition.
  case convolution2d(stride: [Int], padding: [Int])
  /// `[x [B, T, n], shift, scale [B, T or 1, n]]` → x · (1 + scale) + shift.
  case modulate
  /// `[x [B, T, n], gate [B, T or 1, n], h [B, T, n]]` → x + gate · h.
  case gatedAdd

  // MARK: Streaming, with state that is written in place (a cache or a tail). CPU engine only.
  // The last operand, slots int32 [B], says which of the state's slots belongs to each row of the batch.

  /// `[q, k, v [B, T, H, D], sinkK, sinkV [slots, S, H, D], cacheK, cacheV [slots, H, ring ≥ window, D], positions int32 [B · T], slots]`.
  /// The cache is f32, or bf16, to which keys and values are rounded.
  case attentionStream(window: Int, cache: DType)
  /// `[x [B, T, C], weight [C, K], bias [C]?, tail [slots, K − 1, C], slots]`.
  case depthwiseConvolutionStream
  /// `[x [B · R, T · hop], tail [slots, R, size − hop], slots]` → `[B · R, T, size]`.
  case frameStream(size: Int, hop: Int)
  /// `[x [B · R, T, size], tail [slots, R, size − hop], slots]` → `[B · R, T · hop]`.
  case overlapAddStream(hop: Int)

  public enum Unary: Int32, Sendable, Hashable, CaseIterable {
    case negate, absolute, exp, log, sqrt, rsqrt, sin, cos, tanh, sigmoid, relu
    /// Tanh form.
    case gelu
    case silu, softplus, square
  }

  public enum Binary: Int32, Sendable, Hashable, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum, power
    /// 1 where a > b, else 0.
    case greater
  }

  public enum Reduction: Int32, Sendable, Hashable, CaseIterable {
    case sum, mean, max
  }
}

extension Operation {
  /// Whether the operation has a default composition of primitives.
  public var isFused: Bool {
    switch self {
    case .linear, .layerNorm, .rmsNorm, .rotary, .attention, .depthwiseConvolution, .convolution2d, .modulate,
      .gatedAdd:
      true
    default: false
    }
  }
}
