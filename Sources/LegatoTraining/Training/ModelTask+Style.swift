import LegatoModels
import LegatoTensor

/// Training of a style: the parent's model stands still, and its package comes out with one style more.
extension ModelTask {
  /// Throws where the recipe's style cannot be learned on top of this package.
  static func checkStyle(_ settings: ModelRecipe, _ package: ModelPackage?, _ codec: CodecPackage) throws {
    guard let package else {
      throw TrainingError(
        "a style is learned on top of a package, and the recipe starts from none",
        "Name the package: --from Models/legato-first.")
    }
    guard package.codec.hash == codec.hash else {
      throw TrainingError(
        "the latents are of another codec than that of \(package.path), and a style leaves the model as it is",
        "Prepare the recordings with `legato prepare --codec \(package.path)/codec`, or train without model.style."
      )
    }
    let (ours, law) = (settings.transform.sequenceTransform, package.configuration.generation.noiseLaw)
    guard ours.kind == .nextToken || ours.noiseLaw == law else {
      throw TrainingError(
        "the package generates with \(law.rawValue) noise, and the style would learn with \(ours.noiseLaw.rawValue) noise",
        "Set model.transform.kind to that of the package's training.")
    }
    guard settings.generation == GenerationRecipe() else {
      throw TrainingError(
        "a style leaves the package's settings of generation as they are",
        "Remove model.generation. A style's own factors of them are found afterwards: legato tune --style \(settings.style?.name ?? "")."
      )
    }
  }

  /// The pieces with a label, and the others; all and nil where no label is asked for.
  package static func pieces(of data: LatentDataset, with label: StyleRecipe.Label?) throws -> (
    own: LatentDataset, others: LatentDataset?
  ) {
    guard let label else { return (data, nil) }
    let own = data.filtered { $0.labels[label.name] == label.value }
    guard !own.index.pieces.isEmpty else {
      func some(_ words: [String]) -> String {
        let words = Set(words).sorted()
        return words.prefix(10).joined(separator: ", ")
          + (words.count > 10 ? " and \(words.count - 10) more" : "")
      }
      let values = data.index.pieces.compactMap { piece in
        piece.labels[label.name].map { "\(label.name)=\($0)" }
      }
      let names = data.index.pieces.flatMap(\.labels.keys)
      throw TrainingError(
        "\(data.path): no piece has the label \(label)",
        !values.isEmpty
          ? "Choose one of: \(some(values))."
          : names.isEmpty
            ? "Leave it out to take all pieces: the recordings had no manifest with labels."
            : "Their labels are: \(some(names)).")
    }
    return (own, data.filtered { $0.labels[label.name] != label.value })
  }

  /// Latents that a style's statistics are taken of, at most: evenly spread.
  private static let counted = 20_000

  /// The style that the trained weights make, with the statistics of the pieces that it was learned on.
  func style(_ recipe: StyleRecipe, weights: [Weight]) throws -> Style {
    let trained = Dictionary(weights.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    let own = model.styleWeights.map { (trained[$0.name] ?? $0).converted(to: .float32) }
    let pieces = data.pieces(.train)
    let total = pieces.reduce(0) { $0 + $1.frames }
    let every = max(1, (total + Self.counted - 1) / Self.counted)
    let dimension = data.dimension
    var latents: [Float] = []
    for piece in pieces {
      let values = try data.latents(of: piece)
      for frame in stride(from: 0, to: piece.frames, by: every) {
        latents += values[frame * dimension..<(frame + 1) * dimension]
      }
    }
    guard let statistics = LatentStatistics(of: latents, dimension: dimension) else {
      throw TrainingError(
        "\(data.path): the latents of the style hardly differ from each other",
        "Give it recordings that are not silent, at least some seconds of them.")
    }
    return Style(
      name: recipe.name, weights: own, latents: statistics,
      factors: .init(feedbackGain: Float(recipe.feedbackGain)))
  }

  /// Writes the parent's package with the new style; one of the same name is replaced.
  func export(_ recipe: StyleRecipe, weights: [Weight], of parent: ModelPackage, to path: String) throws {
    let styles = parent.styles.filter { $0.name != recipe.name } + [try style(recipe, weights: weights)]
    try ModelPackage.write(
      to: path, configuration: parent.configuration, weights: parent.model.weights, format: nil,
      styles: styles,
      codec: parent.codec, card: parent.card)
  }
}
