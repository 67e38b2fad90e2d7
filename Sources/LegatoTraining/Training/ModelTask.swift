import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import LegatoTorch

/// Training of a continuous model on prepared latents.
public final class ModelTask: TrainingTask {
  public let model: ContinuousModel
  private let recipe: Recipe
  private let settings: ModelRecipe
  let data: LatentDataset
  /// All that was prepared: a style learns from pieces that are not of it, too.
  private let whole: LatentDataset
  /// Nil where no style is trained, or one of all pieces.
  private let lead: StyleLead?
  private let codec: CodecPackage
  private let transform: SequenceTransform
  private let objective: any Objective
  private let frames: Int
  /// Settings of the package: those of the one it started from, else what was measured to suit the transform, until
  /// they are tuned.
  private var generation: GenerationDefaults
  private let startsFromAnotherCodec: Bool
  /// What a style is learned on top of.
  private let parent: ModelPackage?
  /// Where held-out clips come from: training pieces where none are long enough.
  private let heldOut: LatentFolder.Split
  /// Whether held-out clips run over the ends of pieces too: only where none is long enough.
  private let heldOutJoins: Bool

  public var weights: [Weight] { model.weights }
  /// Codebooks are found, not trained.
  public var trainable: [Weight] {
    (settings.style == nil ? model.weights : model.styleWeights).filter { $0.name != CodeSampler.vectorsName }
  }
  public var found: [Weight] { model.sampler.codes.map { [$0.vectors] } ?? [] }
  public var dataFingerprint: String {
    // Of a style the model that it is learned on is a part of the data.
    settings.style == nil ? data.fingerprint : "\(whole.fingerprint) \(parent?.model.styleKey ?? "")"
  }
  /// Not every step of a flow map has all parts of its loss.
  public var representativeStep: Int {
    guard objective is FlowMapObjective else { return 1 }
    return (1...1000).first { FlowMapObjective.distils(stream("flow", $0)) } ?? 1
  }
  public var audioSecondsPerStep: Double { Double(recipe.batchSize * frames) / codec.codec.frameRate }

  /// - Parameter found: of the run that is gone on with (``TrainingTask/found``).
  public init(
    recipe: Recipe, settings: ModelRecipe, data: LatentDataset, codec: CodecPackage,
    from package: ModelPackage?, found: [Weight] = []
  ) throws {
    self.recipe = recipe
    self.settings = settings
    let pieces = try Self.pieces(of: data, with: settings.style?.pieces)
    whole = data
    self.data = pieces.own
    lead = pieces.others.map { StyleLead(others: $0, frames: recipe.data.cropFrames) }
    let data = pieces.own
    self.codec = codec
    startsFromAnotherCodec = package.map { $0.codec.hash != codec.hash } ?? false
    frames = recipe.data.cropFrames
    var configuration = try settings.configuration(latentDimension: codec.codec.latentDimension)
    if let package { configuration = package.configuration.model }
    var source: any WeightSource =
      package.map { NamedWeights($0.model.weights, origin: $0.path) } ?? RandomWeights(seed: recipe.seed)
    if configuration.sampler.kind == .codes, package == nil {
      let (books, codes) = (configuration.sampler.codebooks, configuration.sampler.codes)
      let vectors =
        try found.first { $0.name == CodeSampler.vectorsName }
        ?? Weight(
          name: CodeSampler.vectorsName, shape: [books * codes, data.dimension],
          values: CodebookFit.vectors(
            of: data, codebooks: books, codes: codes, seed: recipe.seed,
            threads: recipe.threads > 0 ? recipe.threads : Platform.defaultThreadCount))
      source = ReplacingWeights(vectors, in: source)
    }
    model = try ContinuousModel(configuration, weights: source)
    parent = package
    if settings.style != nil { try Self.checkStyle(settings, package, codec) }
    guard frames >= 3 * configuration.backbone.window else {
      throw TrainingError(
        "crop_frames is \(frames), less than three windows of \(configuration.backbone.window)",
        "Set data.crop_frames to at least \(3 * configuration.backbone.window), or a smaller model.window: training must see what leaves the window."
      )
    }
    // Found now and not at the first evaluation: throws where nothing is long enough, saying what to change.
    let clip = frames + 1
    if !(settings.joinPieces && data.canJoin(.train, frames: clip)) {
      _ = try data.cropCount(split: .train, frames: clip)
    }
    func holds(_ split: LatentFolder.Split) -> Bool {
      (try? data.cropCount(split: split, frames: clip)) != nil
    }
    let joined = settings.joinPieces && !holds(.validation) && data.canJoin(.validation, frames: clip)
    heldOut = holds(.validation) || joined ? .validation : .train
    heldOutJoins = joined || (heldOut == .train && !holds(.train))
    transform = settings.transform.sequenceTransform
    let usual = transform.generation(with: configuration.sampler.kind)
    var generation = package?.configuration.generation ?? usual
    // A level of noise says nothing under another law.
    if transform.kind != .nextToken, generation.noiseLaw != transform.noiseLaw { generation = usual }
    let asked = settings.generation
    generation.temperature = asked.temperature.map { Float($0) } ?? generation.temperature
    generation.steps = asked.steps ?? generation.steps
    generation.contextNoise = asked.contextNoise.map { Float($0) } ?? generation.contextNoise
    generation.feedbackGain = asked.feedbackGain.map { Float($0) } ?? generation.feedbackGain
    if let problem = generation.problem {
      throw TrainingError("model.generation: \(problem)", "Change the recipe.")
    }
    self.generation = generation
    objective = settings.sampler.objective(configuration)
  }

  public func loss(step: Int, on backend: any Backend) throws -> (loss: Tensor, parts: [(String, Tensor)]) {
    var clips = try clips(
      split: .train, count: recipe.batchSize, random: stream("data", step), joining: settings.joinPieces)
    try lead?.apply(to: &clips, split: .train, random: stream("data", step))
    let batch = transform.apply(clips, random: stream("transform", step))
    return (objective.loss(model, batch, on: backend, random: stream("flow", step)), [])
  }

  public var notes: [String] {
    var notes: [String] = []
    if !model.configuration.backbone.isCausal {
      notes.append(
        "a model that draws whole sequences reads no past and cannot stream: transform, draws and time_per do nothing, and there will be no samples"
      )
    }
    if model.configuration.sampler.kind == .codes, settings.transform.kind != .nextToken {
      notes.append("codes are read without noise: the transform does nothing")
    }
    if heldOut == .train {
      notes.append(
        "no validation piece holds \(frames + 1) latents: losses called training_data are of pieces that are trained on"
      )
    }
    if settings.style == nil, let parent, !parent.styles.isEmpty {
      notes.append("the styles of \(parent.path) belong to its model and are left behind")
    }
    if let start = recipe.from {
      if startsFromAnotherCodec {
        notes.append(
          "\(start) was trained on latents of another codec; that helps where this codec was fine-tuned from that one"
        )
      }
      if settings.style == nil,
        let asked = try? settings.configuration(latentDimension: model.configuration.latentDimension),
        asked != model.configuration
      {
        notes.append("the model is built like that of \(start), not as the recipe says")
      }
    }
    return notes
  }

  public var holdsOut: Bool { heldOut != .train }

  /// Held-out loss with a clean context, and with the context that training sees.
  public func evaluate(on backend: TorchBackend) throws -> [(String, Double)] {
    let data = heldOut == .train ? "training_data" : "validation"
    var sums: [(String, Double)] = [("\(data)_loss", 0), ("\(data)_noised", 0)]
    let batches = max(1, recipe.evaluate.batches)
    for index in 0..<batches {
      let random = RandomStream(seed: 0x7661_6c69, stream: UInt64(index))
      var clips = try clips(
        split: heldOut, count: min(recipe.batchSize, 8), random: random, joining: heldOutJoins)
      try lead?.apply(to: &clips, split: heldOut, random: random)
      for (slot, transform) in [SequenceTransform(.nextToken), transform].enumerated() {
        let batch = transform.apply(
          clips, random: RandomStream(seed: random.seed &+ 1, stream: random.stream))
        let loss = objective.measure.loss(
          model, batch, on: backend, random: RandomStream(seed: random.seed &+ 2, stream: random.stream))
        sums[slot].1 += Double(loss.floats()[0]) / Double(batches)
      }
    }
    return sums
  }

  private func stream(_ name: String, _ step: Int) -> RandomStream {
    let base = RandomStream(seed: recipe.seed, name: name)
    return RandomStream(seed: base.seed ^ base.stream, stream: UInt64(step))
  }

  private func clips(split: LatentFolder.Split, count: Int, random: RandomStream, joining: Bool) throws
    -> LatentClips
  {
    var clips = LatentClips(
      latents: [], begins: [], positions: frames, dimension: model.configuration.latentDimension)
    let coins = RandomStream(seed: random.seed ^ 0x636f_696e, stream: random.stream).uniform(count)
    for item in 0..<count {
      let begins = Double(coins[item]) < settings.startFraction
      let sample = joining ? data.sampleJoining : data.sample
      clips.latents.append(try sample(split, frames + 1, random, item, begins))
      clips.begins.append(begins)
      clips.counted.append(0)
    }
    return clips
  }

  public func writeSamples(weights: [Weight], step: Int, to folder: String) throws -> [SampleFile] {
    guard model.configuration.backbone.isCausal else { return [] }
    let trained = try ContinuousModel(model.configuration, weights: NamedWeights(weights, origin: "the run"))
    let style = try settings.style.map { try self.style($0, weights: weights) }
    let package = ModelPackage(
      model: style == nil ? trained : model, codec: codec, configuration: configurationFile(record: nil),
      styles: style.map { [$0] } ?? [])
    var files: [SampleFile] = []
    for index in 0..<recipe.samples.count {
      let session = Session(
        package,
        options: package.options(seed: UInt64(index + 1)),
        threads: recipe.threads > 0 ? recipe.threads : nil)
      let source = ChunkSource(session, seconds: recipe.samples.seconds)
      var audio = AudioBuffer(
        sampleRate: session.sampleRate, channels: Array(repeating: [], count: session.channels))
      while let chunk = source.next() {
        for channel in chunk.channels.indices { audio.channels[channel] += chunk.channels[channel] }
      }
      let name = "step-\(step)-seed-\(index + 1)"
      files.append(try SampleFile.write(audio, tag: "generated/\(index + 1)", name: name, folder: folder))
    }
    return files
  }

  private func configurationFile(record: ExportRecord?) -> ModelConfigurationFile {
    var file = ModelConfigurationFile(
      name: record?.name ?? recipe.name, licence: codec.configuration.licence, model: model.configuration)
    if let record {
      file.training = TrainingRecord(
        data: recipe.data.source, steps: record.steps, seconds: record.seconds, hardware: record.hardware,
        losses: record.losses, codecHash: codec.hash)
    }
    file.generation = generation
    return file
  }

  public func tune(package path: String, style: ProgressStyle) throws -> String? {
    guard settings.generation.tune, settings.style == nil else { return nil }
    let package = try ModelPackage(path: path, streams: false)
    var tuner = SettingsTuner(
      package: package, data: data,
      threads: recipe.threads > 0 ? recipe.threads : Platform.defaultThreadCount)
    tuner.style = style
    guard let outcome = try tuner.run() else {
      return
        "stopped before the settings of generation were tuned: legato tune --model \(path) --latents \(data.path)"
    }
    guard outcome.isBetter else { return "tuned: nothing better than \(outcome.before.text)" }
    generation = outcome.settings
    try package.write(generation: generation)
    return "tuned, on other seeds: \(outcome.before.text) before; \(outcome.after.text)"
  }

  public func export(weights: [Weight], record: ExportRecord, to path: String) throws {
    if let style = settings.style, let parent {
      return try export(style, weights: weights, of: parent, to: path)
    }
    let file = configurationFile(record: record)
    try ModelPackage.write(
      to: path, configuration: file, weights: weights, format: .bfloat16, codec: codec,
      card: ModelCard.text(file, recipe: recipe, data: data.summary))
  }
}
