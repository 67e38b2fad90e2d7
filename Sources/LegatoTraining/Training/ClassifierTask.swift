import LegatoModels
import LegatoTensor
import LegatoTorch

/// Training of a note classifier on a rendered corpus.
public final class ClassifierTask: TrainingTask {
  public let classifier: NoteClassifier
  private let recipe: Recipe
  private let settings: ClassifierRecipe
  private let data: NoteWindows

  public var weights: [Weight] { classifier.weights }
  public var trainable: [Weight] { classifier.weights }
  public var dataFingerprint: String { data.fingerprint }
  public var representativeStep: Int { 1 }
  public var audioSecondsPerStep: Double { Double(recipe.batchSize) }
  /// Whether there are validation pieces of instruments that it knows.
  public var holdsOut: Bool { data.pieces[.validation]?.contains { $0.instrument != nil } == true }

  /// Throws ``TrainingError`` where the corpus does not do, and what loading throws.
  public init(recipe: Recipe, settings: ClassifierRecipe, from package: NoteClassifierPackage?) throws {
    (self.recipe, self.settings) = (recipe, settings)
    data = try NoteWindows(
      corpus: recipe.data.source, known: package?.classifier.configuration.instruments)
    let configuration =
      package?.classifier.configuration
      ?? NoteClassifierConfiguration(
        width: settings.width, blocks: settings.blocks, dimension: settings.dimension,
        instruments: data.instruments)
    let source: any WeightSource =
      package.map { NamedWeights($0.classifier.weights, origin: $0.path) } ?? RandomWeights(seed: recipe.seed)
    classifier = try NoteClassifier(configuration, weights: source)
  }

  public var notes: [String] {
    var notes = [
      "\(data.instruments.count) instruments, \((data.hours(.train) * 10).rounded() / 10) hours to train on"
    ]
    let sizes = classifier.configuration
    if let from = recipe.from,
      (sizes.width, sizes.blocks, sizes.dimension) != (settings.width, settings.blocks, settings.dimension)
    {
      notes.append("the classifier has the sizes of \(from), not the recipe's")
    }
    if let from = recipe.from, !data.strangers.isEmpty {
      notes.append(
        "left out, since \(from) does not know them: \(data.strangers.joined(separator: ", ")); a run without `from` learns all"
      )
    }
    if !holdsOut {
      notes.append("no piece is held out: losses called training_data are of what is trained on")
    }
    return notes
  }

  public func loss(step: Int, on backend: any Backend) throws -> (loss: Tensor, parts: [(String, Tensor)]) {
    let base = RandomStream(seed: recipe.seed, name: "data")
    let batch = try data.batch(
      .train, count: recipe.batchSize,
      random: RandomStream(seed: base.seed ^ base.stream, stream: UInt64(step)))
    let (instruments, keys) = losses(batch, count: recipe.batchSize, on: backend)
    return (
      instruments + keys * Float(settings.keyWeight), [("instruments", instruments), ("keys", keys)]
    )
  }

  /// Cross-entropy of the instruments' shares, and mean binary cross-entropy of the keys, `[1]` each.
  private func losses(_ batch: NoteWindows.Batch, count: Int, on backend: any Backend) -> (
    instruments: Tensor, keys: Tensor
  ) {
    func tensor(_ values: [Float]) -> Tensor {
      backend.tensor(values, shape: [count, values.count / count])
    }
    let (shares, sounding) = (tensor(batch.instruments), tensor(batch.keys))
    let heard = classifier(tensor(batch.samples))
    let logits = heard.instruments - heard.instruments.max(axis: -1)
    let logShares = logits - logits.exp().sum(axis: -1).log()
    return (
      -(shares * logShares).sum(axis: -1).mean(),
      (heard.keys.softplus() - heard.keys * sounding).mean()
    )
  }

  /// The loss of fixed examples.
  public func evaluate(on backend: TorchBackend) throws -> [(String, Double)] {
    let batches = max(1, recipe.evaluate.batches)
    var (instruments, keys) = (0.0, 0.0)
    for index in 0..<batches {
      let batch = try data.batch(
        holdsOut ? .validation : .train, count: recipe.batchSize,
        random: RandomStream(seed: 0x7661_6c69, stream: UInt64(index)))
      let loss = losses(batch, count: recipe.batchSize, on: backend)
      instruments += Double(loss.instruments.floats()[0]) / Double(batches)
      keys += Double(loss.keys.floats()[0]) / Double(batches)
    }
    let name = holdsOut ? "validation" : "training_data"
    return [
      ("\(name)_loss", instruments + settings.keyWeight * keys), ("\(name)_instruments", instruments),
      ("\(name)_keys", keys),
    ]
  }

  /// A classifier makes no sound.
  public func writeSamples(weights: [Weight], step: Int, to folder: String) throws -> [SampleFile] { [] }

  public func export(weights: [Weight], record: ExportRecord, to path: String) throws {
    // What is measured is what is stored.
    let stored = weights.map { $0.stored(as: .bfloat16) }
    let final = try NoteClassifier(
      classifier.configuration, weights: NamedWeights(stored, origin: "the run"))
    var file = NoteClassifierFile(
      name: record.name, licence: "Apache-2.0", classifier: classifier.configuration)
    file.training = TrainingRecord(
      data: recipe.data.source, steps: record.steps, seconds: record.seconds, hardware: record.hardware,
      losses: record.losses)
    let test = data.pieces[.test] ?? []
    let heldOut = data.pieces[.heldOutInstruments] ?? []
    let pairs = zip(test.prefix(test.count / 2), test.dropFirst(test.count / 2)).map { [$0, $1] }
    for (name, groups) in [
      ("held_out_pieces", test.map { [$0] }), ("held_out_pieces_in_pairs", pairs),
      ("held_out_instruments", heldOut.map { [$0] }),
    ] {
      let accuracy = try data.accuracy(of: final, hearing: groups, engine: CPUEngine())
      if accuracy.windows > 0 { file.accuracy[name] = accuracy }
    }
    try NoteClassifierPackage.write(
      to: path, configuration: file, weights: stored,
      card: ModelCard.text(
        file, recipe: recipe, hours: data.hours(.train), heldOut: Set(heldOut.map(\.name)).sorted()))
  }
}
