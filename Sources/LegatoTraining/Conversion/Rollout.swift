import Legato
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// What a package makes of a seed in one of its styles: latents, and the settings they were made with.
struct Rollout: Sendable {
  var options: GenerationOptions
  /// `[frames, dimension]`.
  var latents: [Float]

  /// Every style with each of the seeds; without styles, each seed.
  ///
  /// - Parameter isCancelled: asked between frames; then throws ``ConversionError/cancelled``.
  static func all(
    of package: ModelPackage, seeds: Range<UInt64>, frames: Int, threads: Int,
    isCancelled: @Sendable () -> Bool = { false }
  ) throws -> [Rollout] {
    let styles: [Style?] = package.styles.isEmpty ? [nil] : package.styles.map { $0 }
    let all = seeds.flatMap { seed in
      styles.map { style in
        var options = GenerationOptions(seed: seed, defaults: package.configuration.generation)
        options.style = style
        return options
      }
    }
    return try ParallelWork.map(all.count, threads: threads) { index in
      let stream = LatentStream(model: package.model, engine: CPUEngine(threads: 1), options: all[index])
      var latents: [Float] = []
      latents.reserveCapacity(frames * stream.dimension)
      for _ in 0..<frames {
        if isCancelled() { throw ConversionError.cancelled }
        latents += stream.next()
      }
      return Rollout(options: all[index], latents: latents)
    }
  }

  func frames(dimension: Int) -> Int { latents.count / dimension }

  /// The rollout's sound, `[1, channels, samples]`.
  func audio(by codec: SpectralCodec, on backend: any Backend) -> Tensor {
    let d = codec.latentDimension
    return codec.decode(backend.tensor(latents, shape: [1, latents.count / d, d]))
  }

  /// What a model reads that is fed this rollout as it would feed itself: conditions `[1, frames, width]`, one for each latent.
  func conditions(of model: ContinuousModel, on backend: any Backend) throws -> Tensor {
    let d = model.configuration.latentDimension
    let count = frames(dimension: d)
    let styled = try ContinuousModel(
      model.configuration,
      weights: NamedWeights(model.weights + (options.style?.weights ?? []), origin: "a rollout"))
    let factors = options.style?.factors ?? Style.Factors()
    let level = min(1, options.contextNoise * factors.contextNoise)
    var gains = options.noiseLaw.gains(level)
    let gain = options.feedbackGain * factors.feedbackGain
    gains.signal *= gain
    let noise = RandomStream(seed: options.seed, name: "context").normal(latents.count)
    // The start frame is learned, and was never noised in training.
    var read = styled.start.floats()
    var clean = read
    for index in 0..<(count - 1) * d {
      read.append(gains.signal * latents[index] + gains.noise * noise[index])
      clean.append(gain * latents[index])
    }
    return styled.backbone(
      backend.tensor(read, shape: [1, count, d]), clean: backend.tensor(clean, shape: [1, count, d]),
      noise: backend.tensor([0] + [Float](repeating: level, count: count - 1), shape: [1, count, 1]),
      positions: backend.tensor((0..<Int32(count)).map { $0 }, shape: [count]))
  }

  /// Times at which the sampler is asked for each latent, spread over the way from noise to data.
  static let draws = 4

  /// The same on an engine of one thread, row-major.
  func velocities(of model: ContinuousModel) throws -> [Float] {
    try velocities(of: model, on: CPUEngine(threads: 1)).floats()
  }

  /// What the sampler's network says, `[frames, draws, dimension]`, on the way to the rollout's latents at random times, noise and times
  /// from the rollout's seed: velocities of a flow, mean ones to the end of its map. Of a mixture its parameters.
  func velocities(of model: ContinuousModel, on backend: any Backend) throws -> Tensor {
    let d = model.configuration.latentDimension
    let (count, draws) = (frames(dimension: d), Self.draws)
    let noise = RandomStream(seed: options.seed, name: "velocity").normal(count * draws * d)
    let uniform = RandomStream(seed: options.seed, name: "time").uniform(count * draws)
    let z = try conditions(of: model, on: backend).reshape([count, 1, model.configuration.backbone.width])
    guard let network = model.sampler.network else { return model.sampler.conditions(of: z) }
    var (x, times) = ([Float](), [Float]())
    for row in 0..<count * draws {
      let t = (Float(row % draws) + uniform[row]) / Float(draws)
      times.append(t)
      let gains = model.sampler.gains(at: t)
      for j in 0..<d {
        x.append(gains.noise * noise[row * d + j] + gains.signal * latents[row / draws * d + j])
      }
    }
    let t = backend.tensor(times, shape: [count, draws, 1])
    return network(backend.tensor(x, shape: [count, draws, d]), t: t, span: t * -1 + 1, z: z)
  }
}

/// A conversion that did not come to its end.
public enum ConversionError: Error, Equatable, CustomStringConvertible {
  case cancelled

  public var description: String { "stopped; nothing was written" }
}
