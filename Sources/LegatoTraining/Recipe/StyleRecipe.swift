import LegatoModels

/// A style to learn: only the model's sinks and start frame are trained (``Style``).
public struct StyleRecipe: Sendable, Equatable {
  public var name: String
  /// The pieces that play in this style, by a label of the corpus' manifest; nil for all. The others become what the
  /// style turns away from.
  public var pieces: Label?
  /// Factor of the package's feedback gain where the style plays.
  public var feedbackGain = 1.0

  public init(name: String, pieces: Label? = nil, feedbackGain: Double = 1) {
    self.name = name
    self.pieces = pieces
    self.feedbackGain = feedbackGain
  }

  /// "instrument=flute": what a piece's label must be.
  public struct Label: Sendable, Hashable, CustomStringConvertible {
    public var name: String
    public var value: String

    public init?(_ text: String) {
      let parts = text.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { return nil }
      (name, value) = (String(parts[0]), String(parts[1]))
    }

    public var description: String { "\(name)=\(value)" }
  }
}

extension StyleRecipe {
  /// Nil where the section is absent: the model itself is then trained, so an empty one is a mistake.
  static func read(from reader: RecipeReader) -> StyleRecipe? {
    let name = reader.parsed("name", expected: "a name of letters, digits, - and _") {
      Style.isName($0) ? $0 : nil
    }
    let pieces = reader.parsed("pieces", expected: "label=value, such as instrument=flute", Label.init)
    let gain = reader.double("feedback_gain", in: .within(GenerationDefaults.feedbackGains))
    if reader.isPresent, name == nil { reader.require("name", "a style needs a name") }
    reader.finish()
    return name.map { StyleRecipe(name: $0, pieces: pieces, feedbackGain: gain ?? 1) }
  }
}
