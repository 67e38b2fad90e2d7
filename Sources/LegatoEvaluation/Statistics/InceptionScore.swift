import LegatoNN
import LegatoTensor

/// Inception score (Salimans et al., "Improved techniques for training GANs", 2016) as audioldm_eval has it
/// (github.com/haoheliu/audioldm_eval, metrics/isc.py): sounds are shuffled and cut into ten splits; of each
/// exp(mean KL(p(y|x) ‖ mean p)), from 1 to the number of classes; then mean and standard deviation over the splits.
///
/// More is better, and more sounds a split give more: only scores of equal counts compare.
public struct InceptionScore: Sendable, Codable, Hashable {
  public let mean: Double
  /// Over the splits, with n.
  public let deviation: Double
  public let splits: [Double]

  /// Sounds that there have to be: two a split.
  public static let fewest = 2 * splitCount
  public static let splitCount = 10

  /// Nil for fewer than ``fewest`` sounds.
  ///
  /// - Parameters:
  ///   - logits: of the classes of each sound.
  ///   - seed: of the shuffle.
  public init?(_ logits: [[Float]], seed: UInt64 = 2020) {
    guard logits.count >= Self.fewest else { return nil }
    let order = RandomStream(seed: seed, name: "inception").permutation(of: logits.count)
    self.init(splits: Self.parts(of: order.map { logits[$0] }).map(Self.score))
  }

  private init(splits: [Double]) {
    let n = Double(splits.count)
    let mean = splits.reduce(0, +) / n
    self.mean = mean
    deviation = (splits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n).squareRoot()
    self.splits = splits
  }

  static func parts(of sounds: [[Float]]) -> [ArraySlice<[Float]>] {
    (0..<splitCount).map { sounds[$0 * sounds.count / splitCount..<($0 + 1) * sounds.count / splitCount] }
  }

  /// exp of the mean divergence of each sound from the mean of all.
  static func score(_ sounds: ArraySlice<[Float]>) -> Double {
    let logarithms = sounds.map { Softmax.logarithms($0) }
    let n = Double(sounds.count)
    let classes = logarithms.first?.count ?? 0
    let mean = (0..<classes).map { c in logarithms.reduce(0) { $0 + Double.exponential($1[c]) } / n }
    let sum = logarithms.reduce(0) { sum, sound in
      // A class without probability adds nothing.
      zip(sound, mean).reduce(sum) {
        let p = Double.exponential($1.0)
        return p > 0 ? $0 + p * ($1.0 - Double.logarithm($1.1)) : $0
      }
    }
    return Double.exponential(sum / n)
  }
}
