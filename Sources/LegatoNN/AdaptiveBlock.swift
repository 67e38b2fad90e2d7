import LegatoTensor

/// A residual block whose normalisation is shifted, scaled and gated by a condition (AdaLN-Zero; Peebles and Xie 2023,
/// as in the token-wise head of MAR, Li et al. 2024).
///
/// ```
/// shift, scale, gate = Linear(SiLU(c));   h = LN(x) · (1 + scale) + shift;   x + gate · Linear(SiLU(Linear(h)))
/// ```
/// x and c `[B, T, width]`, or c `[B, 1, width]`.
public struct AdaptiveBlock: Sendable {
  private let norm: LayerNorm
  private let modulation: Linear
  private let expand: Linear
  private let contract: Linear

  public init(_ scope: WeightScope, width: Int) throws {
    norm = try LayerNorm(scope["norm"], width, affine: false, epsilon: 1e-6)
    modulation = try Linear(scope["modulation"], width, 3 * width, initial: .zeros)
    expand = try Linear(scope["in"], width, width)
    contract = try Linear(scope["out"], width, width)
  }

  /// - Parameter condition: SiLU of the condition, which all blocks share.
  public func callAsFunction(_ x: Tensor, condition: Tensor) -> Tensor {
    callAsFunction(x, modulation: modulation(condition: condition))
  }

  /// Shift, scale and gate side by side, `[B, T, 3 · width]`: what the block takes from its condition, and the larger part of
  /// its weights.
  public func modulation(condition: Tensor) -> Tensor { modulation(condition) }

  public func callAsFunction(_ x: Tensor, modulation: Tensor) -> Tensor {
    let parts = modulation.split(axis: -1, parts: 3)
    let h = norm(x).modulate(shift: parts[0], scale: parts[1])
    return x.add(contract(expand(h).silu()), gate: parts[2])
  }

  // MARK: With the derivative

  public func modulation(condition: Dual) -> Dual { modulation(condition) }

  public func callAsFunction(_ x: Dual, modulation: Dual) -> Dual {
    let parts = modulation.split(parts: 3)
    let n = norm(x)
    return x + parts[2] * contract(expand(n + n * parts[1] + parts[0]).silu())
  }
}

/// Sinusoidal features of a time in [0, 1] and two linear layers: t `[..., 1]` → `[..., width]`.
public struct TimeEmbedding: Sendable {
  public static let frequencies = 128
  /// The largest angle of t = 1.
  public let fastest: Float
  private let input: Linear
  private let output: Linear

  /// - Parameter fastest: the derivative in t is as large as this, so it is small where that is learned from.
  public init(_ scope: WeightScope, width: Int, fastest: Float = 1000) throws {
    self.fastest = fastest
    input = try Linear(scope["in"], 2 * Self.frequencies, width, initial: .normal(0.02))
    output = try Linear(scope["out"], width, width, initial: .normal(0.02))
  }

  public func callAsFunction(_ t: Tensor) -> Tensor {
    let angles = t * factors(on: t.backend)
    return output(input(.concatenate([angles.cos(), angles.sin()], axis: -1)).silu())
  }

  /// With its derivative in t.
  public func differentiated(_ t: Tensor) -> Dual {
    let factors = factors(on: t.backend)
    let angles = t * factors
    let (cos, sin) = (angles.cos(), angles.sin())
    return output(
      input(
        Dual(
          .concatenate([cos, sin], axis: -1),
          derivative: .concatenate([sin * factors * -1, cos * factors], axis: -1))
      ).silu())
  }

  /// From the fastest down by four decades, geometrically.
  private func factors(on backend: any Backend) -> Tensor {
    let table = (0..<Self.frequencies).map {
      fastest * Float.power(10_000, -Float($0) / Float(Self.frequencies))
    }
    return backend.tensor(table, shape: [Self.frequencies])
  }
}
