import LegatoTensor

/// A style of a model: a start frame and sinks of its own, learned while the rest of the model stood still.
///
/// Every position of every layer sees the sinks, whatever has left the window, so they hold an endless stream to one kind of
/// music, for some 70 kB a style. The mathematics are those of Li and Liang, "Prefix-tuning", 2021, where the prefix is
/// the sinks.
public struct Style: Sendable {
  public let name: String
  /// In the order of ``ContinuousModel/styleWeights``, with their names and shapes.
  public let weights: [Weight]
  /// Of the latents that it was learned on.
  public let latents: LatentStatistics
  public let factors: Factors
  private let fingerprint: UInt64

  /// Of the settings of generation while the style plays: some instruments lose more energy from draw to draw than others, or bear more noise.
  public struct Factors: Sendable, Hashable {
    public var feedbackGain: Float
    public var contextNoise: Float
    public var temperature: Float

    public init(feedbackGain: Float = 1, contextNoise: Float = 1, temperature: Float = 1) {
      (self.feedbackGain, self.contextNoise, self.temperature) = (feedbackGain, contextNoise, temperature)
    }

    /// What each may be.
    public static let range: ClosedRange<Float> = 0...10

    /// "feedback gain ×1.02, context noise ×1.5"; empty where all are 1.
    public var text: String {
      [("temperature", temperature), ("context noise", contextNoise), ("feedback gain", feedbackGain)]
        .filter { $0.1 != 1 }.map { "\($0.0) ×\($0.1)" }.joined(separator: ", ")
    }
  }

  public init(name: String, weights: [Weight], latents: LatentStatistics, factors: Factors = Factors()) {
    (self.name, self.weights, self.latents) = (name, weights, latents)
    self.factors = factors
    var fingerprint = Fingerprint()
    for weight in weights { fingerprint.mix(weight) }
    for factor in [factors.feedbackGain, factors.contextNoise, factors.temperature] {
      fingerprint.mix(UInt64(factor.bitPattern))
    }
    self.fingerprint = fingerprint.value
  }

  /// The same style with other factors.
  public func with(_ factors: Factors) -> Style {
    Style(name: name, weights: weights, latents: latents, factors: factors)
  }

  /// Whether a style may be called so: it is the name of a file.
  public static func isName(_ text: String) -> Bool {
    (1...40).contains(text.utf8.count) && text != "any" && text != "none"
      && text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// Whether a style has its own of a model's weight.
  static func has(_ weight: String) -> Bool {
    weight == "start" || weight.hasSuffix(".sink_keys") || weight.hasSuffix(".sink_values")
  }

  /// Whether a model has weights of these names and shapes.
  public func fits(_ model: ContinuousModel) -> Bool {
    let (own, theirs) = (weights, model.styleWeights)
    return own.map(\.name) == theirs.map(\.name) && own.map(\.shape) == theirs.map(\.shape)
  }

  /// The style that latents `[count, dimension]` are likest, by a Gaussian of each style's statistics; nil of none.
  public static func nearest(to latents: [Float], among styles: [Style]) -> Style? {
    styles.max { $0.latents.logLikelihood(of: latents) < $1.latents.logLikelihood(of: latents) }
  }
}

extension Style: Hashable {
  public static func == (one: Style, other: Style) -> Bool {
    one.name == other.name && one.fingerprint == other.fingerprint
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(fingerprint)
  }
}

extension ContinuousModel {
  /// What a style has its own of: the start frame, keys and values of the sinks of every layer.
  public var styleWeights: [Weight] { weights.filter { Style.has($0.name) } }
}
