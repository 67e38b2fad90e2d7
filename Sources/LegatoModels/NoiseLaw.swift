/// How noise is mixed into what the backbone reads, in training and in generation alike.
public enum NoiseLaw: String, Codable, Sendable {
  /// x̃ = k ε + (1 − k) x: CAM (Pasini et al. 2024).
  case linear
  /// x̃ = √k ε + √(1 − k) x: CALM (Rouard et al. 2025).
  case variancePreserving = "variance-preserving"
  /// x̃ = x + k ε: a noised latent is as loud as it was, so the backbone need not guess how much it was turned down.
  case additive

  /// Factors of the latent and of the noise at level `k`, from 0, clean, to 1.
  public func gains(_ k: Float) -> (signal: Float, noise: Float) {
    switch self {
    case .linear: (1 - k, k)
    case .variancePreserving: ((1 - k).squareRoot(), k.squareRoot())
    case .additive: (1, k)
    }
  }
}
