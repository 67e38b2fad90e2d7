import LegatoModels
import LegatoTensor

/// Training of a style: the parent's model stands still, and its package comes out with one style more.
extension ModelTask {
  static func checkStyle(_ package: ModelPackage?, _ codec: CodecPackage) throws {
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
  }

  static func pieces(of data: LatentDataset, for style: StyleRecipe?) throws -> (
    own: LatentDataset, others: LatentDataset?
  ) {
    guard let label = style?.pieces else { return (data, nil) }
    let own = data.filtered { $0.labels[label.name] == label.value }
    guard !own.index.pieces.isEmpty else {
      let values = Set(data.index.pieces.compactMap { $0.labels[label.name] }).sorted()
      throw TrainingError(
        "\(data.path): no piece has the label \(label)",
        values.isEmpty
          ? "Leave model.style.pieces out to take all pieces, or prepare a corpus whose manifest has such labels."
          : "Choose one of \(values.map { "\(label.name)=\($0)" }.joined(separator: ", ")).")
    }
    return (own, data.filtered { $0.labels[label.name] != label.value })
  }

  /// The share of a style's clips that begin in the middle of other music, so that it learns to lead there from anywhere.
  private static let leadingFraction: Float = 0.7

  /// Puts other music before a style's clips, as context only: from the middle of a clip on, what comes is the style's.
  func lead(_ clips: inout LatentClips, split: LatentFolder.Split, random: RandomStream) throws {
    guard let others, others.canJoin(split, frames: frames) else { return }
    let draws = RandomStream(seed: random.seed ^ 0x6c65_6164, stream: random.stream)
    let items = clips.latents.count
    let coins = draws.uniform(items)
    for item in 0..<items where !clips.begins[item] && coins[item] < Self.leadingFraction {
      let place = frames / 4 + draws.integer(below: frames / 2, at: UInt64(items + item))
      let before = try others.sampleJoining(split: split, frames: place, random: draws, index: item)
      clips.latents[item].replaceSubrange(0..<place * clips.dimension, with: before)
      clips.counted[item] = place
    }
  }

  /// Latents that a style's statistics are taken of, at most: evenly spread.
  private static let counted = 20_000

  /// The style that the trained weights make, with the statistics of the pieces that it was learned on.
  func style(_ recipe: StyleRecipe, weights: [Weight]) throws -> Style {
    let trained = Dictionary(weights.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    let own = model.styleWeights.map { (trained[$0.name] ?? $0).converted(to: .float32) }
    let pieces = data.pieces(.train)
    let total = pieces.reduce(0) { $0 + $1.frames }
    let every = max(1, total / Self.counted)
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
      name: recipe.name, weights: own, latents: statistics, feedbackGain: Float(recipe.feedbackGain))
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
