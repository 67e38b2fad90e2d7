import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoNN
import LegatoTensor
import LegatoTorch

/// Training of a spectral codec on recordings.
public final class CodecTask: TrainingTask {
  public let codec: SpectralCodec
  private let recipe: Recipe
  private let settings: CodecRecipe
  private let clips: AudioClips
  private let objective: CodecObjective
  private let game: AdversarialGame?
  private let cropFrames: Int
  /// Of the package that training started from.
  private let converted: ConvertedCodec?

  public var weights: [Weight] { codec.weights }
  public var trainable: [Weight] {
    codec.weights.filter {
      !SpectralCodec.statisticsNames.contains($0.name)
        && !(settings.freezeEncoder && SpectralCodec.isOfEncoder($0.name))
    }
  }
  public var adversary: Adversary? { game?.adversary }
  public var dataFingerprint: String { clips.fingerprint }
  public var representativeStep: Int { settings.loss.waveformSteps + 1 }
  public var audioSecondsPerStep: Double { Double(recipe.batchSize * cropFrames) / Double(codec.sampleRate) }

  /// - Parameter cache: folder for recordings that have to be converted first.
  public init(recipe: Recipe, settings: CodecRecipe, cache: String, from package: CodecPackage?) throws {
    self.recipe = recipe
    self.settings = settings
    let configuration = try package?.configuration.codec ?? settings.configuration()
    let source: any WeightSource =
      package.map { NamedWeights($0.codec.weights, origin: $0.path) } ?? RandomWeights(seed: recipe.seed)
    codec = try SpectralCodec(configuration, weights: source)
    converted = package?.configuration.converted
    objective = CodecObjective(settings.loss, sampleRate: configuration.sampleRate)
    let perFrame = configuration.samplesPerFrame
    cropFrames =
      max(2, Int((recipe.data.cropSeconds * Double(configuration.sampleRate) / Double(perFrame)).rounded()))
      * perFrame
    try TransformSizes.check(
      settings.loss.stftSizes, key: "codec.loss.stft_sizes", samples: cropFrames - codec.delay)
    guard !settings.freezeEncoder || package != nil else {
      throw TrainingError(
        "codec.freeze_encoder is true, but the run starts from no package: an untrained encoder says nothing",
        "Name a package with --from, or set codec.freeze_encoder to false.")
    }
    game = try AdversarialGame(settings.adversarial, seed: recipe.seed, samples: cropFrames - codec.delay)
    clips = try AudioClips(
      source: recipe.data.source, sampleRate: configuration.sampleRate, channels: configuration.channels,
      cropFrames: cropFrames, cache: cache)
  }

  public var notes: [String] {
    var notes = clips.skipped.prefix(20).map { "skipped \($0.path): \($0.reason)" }
    if clips.skipped.count > 20 { notes.append("skipped \(clips.skipped.count - 20) more") }
    if let note = clips.noteOfCopies { notes.append(note) }
    if !clips.isHeldOut {
      notes.append(
        "no recording is held out: losses called training_data are of the last recording that is trained on")
    }
    if recipe.from != nil, let asked = try? settings.configuration(), asked != codec.configuration {
      notes.append("the codec has the sizes of \(recipe.from ?? ""), not the recipe's")
    }
    return notes
  }

  public var holdsOut: Bool { clips.isHeldOut }

  private func stream(_ name: String, _ step: Int) -> RandomStream {
    let base = RandomStream(seed: recipe.seed, name: name)
    return RandomStream(seed: base.seed ^ base.stream, stream: UInt64(step))
  }

  public func loss(step: Int, on backend: any Backend) throws -> (loss: Tensor, parts: [(String, Tensor)]) {
    let values = try clips.batch(
      validation: false, count: recipe.batchSize, cropFrames: cropFrames, random: stream("data", step))
    let audio = backend.tensor(values, shape: [recipe.batchSize, codec.channels, cropFrames])
    let posterior = encode(audio, on: backend)
    let shape = posterior.mean.shape
    let noise = backend.tensor(stream("bottleneck", step).normal(shape.reduce(1, *)), shape: shape)
    let (latents, divergence) = bottleneck(posterior, noise: noise)
    let rows = recipe.batchSize * codec.channels
    let heard = cropFrames - codec.delay
    // The last frames of a crop lack the frames that would complete them.
    func trimmed(_ x: Tensor) -> Tensor { x.reshape([rows, cropFrames]).slice(axis: 1, 0..<heard) }
    let (output, target) = (trimmed(codec.synthesize(latents)), trimmed(audio))
    var parts = objective.parts(
      aligned(output), aligned(target),
      waveformOnly: recipe.from == nil && settings.loss.waveformWeight > 0
        && step <= settings.loss.waveformSteps)
    if let game, let torch = backend as? TorchBackend {
      parts += try game.parts(output: output, target: target, channels: codec.channels, step: step, on: torch)
    }
    var loss = divergence * Float(settings.klWeight)
    for part in parts { loss = loss + part.value * part.weight }
    return (loss, parts.map { ($0.name, $0.value) } + [("kl", divergence)])
  }

  public func adversaryLoss(step: Int, on backend: TorchBackend) throws -> Tensor? { game?.adversaryLoss() }

  /// Mean and log-variance; no gradients where the encoder stays as it is.
  private func encode(_ audio: Tensor, on backend: any Backend) -> (mean: Tensor, logVariance: Tensor) {
    guard settings.freezeEncoder, let torch = backend as? TorchBackend else {
      return codec.posterior(of: audio)
    }
    return torch.withoutGradients { codec.posterior(of: audio) }
  }

  /// Cut to a length that every FFT size and its hop divide.
  private func aligned(_ x: Tensor) -> Tensor {
    let unit = settings.loss.stftSizes.max() ?? 1
    return x.slice(axis: 1, 0..<x.dim(1) / unit * unit)
  }

  /// Raw latents with the bottleneck's noise, and the divergence from a normal distribution a dimension.
  private func bottleneck(_ posterior: (mean: Tensor, logVariance: Tensor), noise: Tensor) -> (Tensor, Tensor)
  {
    switch settings.bottleneck {
    case .kl:
      let variance = posterior.logVariance.exp()
      let divergence = (posterior.mean.square() + variance - posterior.logVariance - 1).mean() * 0.5
      return (posterior.mean + (posterior.logVariance * 0.5).exp() * noise, divergence)
    case .fixed:
      return (posterior.mean + noise * Float(settings.fixedStd), posterior.mean.square().mean() * 0.5)
    }
  }

  /// Distances of reconstructions without the bottleneck's noise, on fixed crops.
  public func evaluate(on backend: TorchBackend) throws -> [(String, Double)] {
    var sums: [String: Double] = [:]
    var order: [String] = []
    let batches = max(1, recipe.evaluate.batches)
    for index in 0..<batches {
      let count = min(recipe.batchSize, 8)
      let values = try clips.batch(
        validation: true, count: count, cropFrames: cropFrames,
        random: RandomStream(seed: 0x7661_6c69, stream: UInt64(index)))
      let audio = backend.tensor(values, shape: [count, codec.channels, cropFrames])
      let output = codec.synthesize(codec.posterior(of: audio).mean)
      let heard = cropFrames - codec.delay
      func trimmed(_ x: Tensor) -> Tensor {
        aligned(x.reshape([count * codec.channels, cropFrames]).slice(axis: 1, 0..<heard))
      }
      var total = 0.0
      for part in objective.parts(trimmed(output), trimmed(audio)) {
        let value = Double(part.value.floats()[0])
        total += value * Double(part.weight)
        if sums[part.name] == nil { order.append(part.name) }
        sums[part.name, default: 0] += value / Double(batches)
      }
      sums["total", default: 0] += total / Double(batches)
    }
    let data = clips.isHeldOut ? "validation" : "training_data"
    return [("\(data)_loss", sums["total"] ?? 0)] + order.map { ("\(data)_\($0)", sums[$0] ?? 0) }
  }

  /// Held-out excerpts beside their reconstructions.
  public func writeSamples(weights: [Weight], step: Int, to folder: String) throws -> [SampleFile] {
    let trained = try SpectralCodec(codec.configuration, weights: NamedWeights(weights, origin: "the run"))
    var files: [SampleFile] = []
    for (index, source) in clips.validation.prefix(recipe.samples.count).enumerated() {
      let length = min(source.frames, Int(recipe.samples.seconds * Double(codec.sampleRate)))
      let first = (source.frames - length) / 2
      let original = try AudioFile.read(source.path, frames: first..<first + length)
      let copy = try CodecRoundTrip.reconstruct(original, with: trained)
      let pair = AudioBuffer(
        sampleRate: original.sampleRate, channels: zip(original.channels, copy.channels).map { $0 + $1 })
      files.append(
        try SampleFile.write(
          pair, tag: "reconstruction/\(index)", name: "step-\(step)-original-then-copy-\(index)",
          folder: folder))
    }
    return files
  }

  public func export(weights: [Weight], record: ExportRecord, to path: String) throws {
    // What is measured and shipped is what is stored: matrices in bf16, latents normalised by its own statistics.
    // A frozen encoder keeps its bytes, by which latents know it.
    let kept = Dictionary(
      settings.freezeEncoder ? codec.weights.map { ($0.name, $0) } : [], uniquingKeysWith: { $1 }
    ).filter { SpectralCodec.isOfEncoder($0.key) }
    let stored = weights.map {
      SpectralCodec.statisticsNames.contains($0.name) ? $0 : kept[$0.name] ?? $0.stored(as: .bfloat16)
    }
    let complete = settings.freezeEncoder ? stored : try withOwnStatistics(stored)
    let final = try SpectralCodec(codec.configuration, weights: NamedWeights(complete, origin: "the run"))
    var file = CodecConfigurationFile(name: record.name, licence: "Apache-2.0", codec: codec.configuration)
    file.training = TrainingRecord(
      data: recipe.data.source, steps: record.steps, seconds: record.seconds, hardware: record.hardware,
      losses: record.losses)
    let distance = clips.isHeldOut ? try heldOutMelDistance(final) : .nan
    file.heldOutMelDistance = distance.isFinite ? distance : nil
    if settings.freezeEncoder { file.converted = converted }
    try CodecPackage.write(
      to: path, configuration: file, weights: complete, format: nil,
      card: ModelCard.text(file, recipe: recipe, hours: clips.hours))
  }

  /// The statistics of raw latents measured anew: those of a package that training started from are another codec's.
  private func withOwnStatistics(_ weights: [Weight]) throws -> [Weight] {
    func replacing(mean: [Float], deviation: [Float]) -> [Weight] {
      weights.map { weight in
        switch weight.name {
        case codec.latentMean.name: Weight(name: weight.name, shape: weight.shape, values: mean)
        case codec.latentDeviation.name: Weight(name: weight.name, shape: weight.shape, values: deviation)
        default: weight
        }
      }
    }
    let raw = replacing(
      mean: [Float](repeating: 0, count: codec.latentDimension),
      deviation: [Float](repeating: 1, count: codec.latentDimension))
    let statistics = try latentStatistics(
      SpectralCodec(codec.configuration, weights: NamedWeights(raw, origin: "the run")))
    return replacing(mean: statistics.mean, deviation: statistics.deviation)
  }

  private func excerpts(_ sources: [AudioClips.Source], seconds: Double, count: Int) throws -> [AudioBuffer] {
    try sources.prefix(count).map { source in
      let length = min(source.frames, Int(seconds * Double(codec.sampleRate)))
      let first = (source.frames - length) / 2
      return try AudioFile.read(source.path, frames: first..<first + length)
    }
  }

  private func latentStatistics(_ codec: SpectralCodec) throws -> (mean: [Float], deviation: [Float]) {
    let dimension = codec.latentDimension
    var (sum, squares, count) = (
      [Double](repeating: 0, count: dimension), [Double](repeating: 0, count: dimension), 0.0
    )
    for excerpt in try excerpts(clips.train, seconds: 10, count: 40) {
      let latents = try CodecRoundTrip.encode(excerpt, with: codec)
      for (index, value) in latents.enumerated() {
        sum[index % dimension] += Double(value)
        squares[index % dimension] += Double(value) * Double(value)
      }
      count += Double(latents.count / dimension)
    }
    let mean = sum.map { $0 / max(count, 1) }
    let deviation = zip(squares, mean).map { max(1e-3, ($0 / max(count, 1) - $1 * $1).squareRoot()) }
    return (mean.map { Float($0) }, deviation.map { Float($0.isFinite ? $0 : 1) })
  }

  private func heldOutMelDistance(_ codec: SpectralCodec) throws -> Double {
    let held = try excerpts(clips.validation, seconds: 15, count: 8)
    let (measure, engine) = (MelDistance(sampleRate: codec.sampleRate), CPUEngine())
    let distances = try held.map {
      try measure(reference: $0, estimate: CodecRoundTrip.reconstruct($0, with: codec), engine: engine)
    }
    return distances.reduce(0, +) / Double(max(1, distances.count))
  }
}
