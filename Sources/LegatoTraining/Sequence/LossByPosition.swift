import LegatoModels
import LegatoTensor

/// The loss of a model on beginnings of pieces, by position, over the moment that the start frame leaves the window.
///
/// A model that leaned on its start frame loses its footing there: its loss jumps. With sinks and training across
/// eviction there is no step (StreamingLLM, Xiao et al. 2024).
public struct LossByPosition: Sendable, Codable, Hashable {
  /// Mean over all positions and clips.
  public var mean: Double
  /// Mean over clips at each position.
  public var positions: [Double]
  /// Latents that attention reaches; from this position on the start frame is out of reach.
  public var window: Int
  /// Mean loss of a quarter window after the eviction less that of the quarter before it.
  public var step: Double
  /// Standard error of `step` over clips; nil for fewer than two.
  public var stepError: Double?
  public var clips: Int

  enum CodingKeys: String, CodingKey {
    case mean, positions, window, step, clips
    case stepError = "step_error"
  }

  /// - Parameters:
  ///   - clips: beginnings of pieces, `[positions, dimension]` each, all of one length of more than 1¼ windows.
  ///   - contextNoise, noiseLaw: noise mixed into what the backbone reads, as in generation.
  ///   - draws: noise draws for each position.
  public init(
    of model: ContinuousModel, on clips: [[Float]], contextNoise: Float, noiseLaw: NoiseLaw, draws: Int = 4,
    engine: CPUEngine,
    progress: (Int) -> Void = { _ in }
  ) {
    let dimension = model.configuration.latentDimension
    let length = (clips.first?.count ?? 0) / dimension
    let (window, quarter) = (
      model.configuration.backbone.window, max(1, model.configuration.backbone.window / 4)
    )
    precondition(
      length >= window + quarter, "LossByPosition: clips of \(length) latents and a window of \(window)")
    var sampler = SamplerRecipe()
    (sampler.draws, sampler.timePer) = (draws, .draw)
    let objective = sampler.objective(model.configuration).measure
    let gains = noiseLaw.gains(contextNoise)
    var sums = [Double](repeating: 0, count: length)
    var steps: [Double] = []
    for (index, clip) in clips.enumerated() {
      var batch = SequenceTransform(.nextToken).apply(
        LatentClips(latents: [clip], begins: [true], positions: length, dimension: dimension),
        random: RandomStream(seed: 0, stream: 0))
      let noise = RandomStream(seed: 1, stream: UInt64(index)).normal(batch.inputs.count)
      for i in dimension..<batch.inputs.count {
        batch.inputs[i] = gains.signal * batch.inputs[i] + gains.noise * noise[i]
      }
      for position in 1..<length { batch.noiseLevels[position] = contextNoise }
      let losses = objective.losses(
        model, batch, on: engine, random: RandomStream(seed: 2, stream: UInt64(index))
      )
      .floats().map(Double.init)
      for position in 0..<length { sums[position] += losses[position] }
      // The input at index `window` is the first whose window no longer holds the start frame, index 0.
      let after = losses[window..<window + quarter].reduce(0, +) / Double(quarter)
      let before = losses[window - quarter..<window].reduce(0, +) / Double(quarter)
      steps.append(after - before)
      progress(index + 1)
    }
    let count = Double(max(1, clips.count))
    positions = sums.map { $0 / count }
    mean = positions.reduce(0, +) / Double(max(1, length))
    self.window = window
    self.clips = clips.count
    let mean = steps.reduce(0, +) / count
    step = mean
    let squares = steps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    stepError = steps.count > 1 ? (squares / (count - 1) / count).squareRoot() : nil
  }
}
