import LegatoModels

/// The classifier of instruments and keys to train (``NoteClassifier``). Its instruments are those of the corpus.
public struct ClassifierRecipe: Sendable, Equatable {
  public var width = 192
  public var blocks = 3
  /// Of the embedding.
  public var dimension = 128
  /// Of the keys' mean loss, beside 1 for that of the instruments.
  public var keyWeight = 10.0

  public init() {}
}

extension ClassifierRecipe {
  mutating func read(from reader: RecipeReader) {
    width = reader.int("width", in: 1...4096) ?? width
    blocks = reader.int("blocks", in: 0...64) ?? blocks
    dimension = reader.int("dimension", in: 1...4096) ?? dimension
    keyWeight = reader.double("key_weight", default: keyWeight, in: .fromZero)
    reader.finish()
  }

  func write(to tree: inout RecipeTree) {
    tree.add("width", width)
    tree.add("blocks", blocks)
    tree.add("dimension", dimension)
    tree.add("key_weight", keyWeight)
  }
}

extension Recipe.Kind {
  /// Name of the recipe's key that says where the data are.
  public var dataKey: String { self == .model ? "latents" : "corpus" }
}
