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
}

/// Sinusoidal features of a time in [0, 1] and two linear layers: t `[..., 1]` → `[..., width]`.
public struct TimeEmbedding: Sendable {
  public static let frequencies = 128
  private let input: Linear
  private let output: Linear

  public init(_ scope: WeightScope, width: Int) throws {
    input = try Linear(scope["in"], 2 * Self.frequencies, width, initial: .normal(0.02))
    output = try Linear(scope["out"], width, width, initial: .normal(0.02))
  }

  public func callAsFunction(_ t: Tensor) -> Tensor {
    // Angles from 1000 t down to t/10, geometrically.
    let table = (0..<Self.frequencies).map {
      1000 * Float.power(10_000, -Float($0) / Float(Self.frequencies))
    }
    let angles = t * t.backend.tensor(table, shape: [Self.frequencies])
    return output(input(.concatenate([angles.cos(), angles.sin()], axis: -1)).silu())
  }
}
