import LegatoNN

/// Kullback-Leibler divergence between the classes that are heard in a sound and in its target, as audioldm_eval has it
/// (github.com/haoheliu/audioldm_eval, metrics/kl.py, "softmax"): Σ P (ln P − ln(Q + 1e-6)), in nats, with P of the target
/// and Q of the generated sound. 0 for equal sounds, but for the 1e-6.
public enum KLDivergence {
  static let epsilon = 1e-6

  /// - Parameters: logits of each class, as many of both.
  public static func value(target: [Float], generated: [Float]) -> Double {
    precondition(
      target.count == generated.count, "KLDivergence: \(target.count) and \(generated.count) classes")
    let (p, q) = (Softmax.logarithms(target), Softmax.probabilities(generated))
    return zip(p, q).reduce(0) { sum, pair in
      sum + Double.exponential(pair.0) * (pair.0 - Double.logarithm(pair.1 + epsilon))
    }
  }

  /// Mean over pairs; each pair is an independent sample. Nil for none.
  public static func mean(_ pairs: [(target: [Float], generated: [Float])]) -> Estimate? {
    Estimate(meanOf: pairs.map { value(target: $0.target, generated: $0.generated) })
  }
}
