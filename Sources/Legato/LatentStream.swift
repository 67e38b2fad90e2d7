import LegatoModels
import LegatoTensor

/// The model alone, frame by frame: draws latents, feeds each back, never ends.
///
/// Belongs to one thread. Memory and time per frame do not grow. A latent that is not finite or runs away is
/// drawn again from the last good state, with other noise, and counted.
public final class LatentStream {
  public var options: GenerationOptions {
    didSet { if options.style != oldValue.style { takeStyle() } }
  }
  /// Latents drawn or fed since the start.
  public private(set) var position = 0
  /// How often a bad latent made the stream go back to its last good state.
  public private(set) var recoveries = 0
  public let dimension: Int

  private let state: StreamState
  private let backbone: Plan
  private let sampler: Plan
  private let model: ContinuousModel
  /// What stands before the first latent.
  private var start: [Float]
  private let fingerprint: UInt64
  /// The latent drawn or fed last, `[dimension]`, normalised: what the next is made from.
  public private(set) var latent: [Float]
  /// Of the style that is being taken, where it was prepared.
  private var prepared: PreparedStyle?
  private let noise: UnsafeMutableBufferPointer<Float>
  private let checkpoint: UnsafeMutableRawBufferPointer
  private var checkpointLatent: [Float]
  private var checkpointPosition = 0
  /// Counts every draw, recovered ones too, so that noise is never used twice.
  private var draws = 0

  /// Frames between copies of the state to go back to.
  private static let checkpointInterval = 64
  /// Normalised latents have variance 1: beyond this a value is no music.
  private static let limit: Float = 24

  public init(model: ContinuousModel, engine: CPUEngine, options: GenerationOptions) {
    self.options = options
    self.model = model
    let state = StreamState(engine: engine)
    let dimension = model.configuration.latentDimension
    let width = model.configuration.backbone.width
    var cache = model.backbone.makeState(in: state)
    let sinks = [PlanInput](
      repeating: .init(model.backbone.sinkShape), count: 2 * model.configuration.backbone.layers)
    backbone = engine.record(
      inputs: [.init([1, 1, dimension]), .init([1, 1, 1]), .init([1], .int32)] + sinks
    ) { inputs in
      [
        model.backbone(
          inputs[0], noise: inputs[1], positions: inputs[2], sinks: Array(inputs[3...]), state: &cache)
      ]
    }
    sampler = engine.record(
      inputs: [
        .init([1, 1, dimension]), .init([1, 1, 1]), .init([1, 1, 1]), .init([1, 1, width]),
        .init([1, 1, dimension]),
      ]
    ) { inputs in
      [inputs[4] + model.sampler.velocity(inputs[0], t: inputs[1], z: inputs[3]) * inputs[2]]
    }
    self.state = state
    self.dimension = dimension
    fingerprint = model.fingerprint
    start = model.start.floats()
    latent = start.map { $0 }
    checkpointLatent = start.map { $0 }
    noise = .allocate(capacity: dimension)
    noise.initialize(repeating: 0)
    checkpoint = .allocate(byteCount: state.byteCount, alignment: 64)
    state.save(into: checkpoint)
    takeStyle()
  }

  deinit {
    noise.deallocate()
    checkpoint.deallocate()
  }

  /// Draws the next latent, `[dimension]`, normalised; valid until the next call.
  public func next() -> UnsafeBufferPointer<Float> {
    if position - checkpointPosition >= Self.checkpointInterval { saveCheckpoint() }
    var attempts = 0
    while true {
      think()
      let drawn = draw()
      if drawn.allSatisfy({ abs($0) < Self.limit }) {
        for index in 0..<dimension { latent[index] = drawn[index] }
        position += 1
        return drawn
      }
      recoveries += 1
      attempts += 1
      recover(completely: attempts > 3)
      if attempts > 8 {
        // Weights that cannot draw a finite latent give silence, not noise.
        for index in 0..<dimension { latent[index] = 0 }
        sampler.input(0).update(repeating: 0)
        return UnsafeBufferPointer(sampler.input(0))
      }
    }
  }

  /// Feeds a latent of a recording, `[dimension]`, normalised, as if it had been drawn.
  ///
  /// Throws ``GenerationError`` where it is not finite or far outside of what latents are.
  public func feed(_ given: UnsafeBufferPointer<Float>) throws {
    guard given.allSatisfy({ abs($0) < Self.limit }) else {
      throw GenerationError(
        "the recording cannot be encoded: its level is far above ±1, or the codec does not fit it")
    }
    if position - checkpointPosition >= Self.checkpointInterval { saveCheckpoint() }
    think()
    draws += 1
    for index in 0..<dimension { latent[index] = given[index] }
    position += 1
  }

  /// Puts the style's sinks in place: the next latent hears them. One of another model is not taken.
  private func takeStyle() {
    let prepared = prepared ?? PreparedStyle(options.style, of: model)
    if !prepared.fits { options.style = nil }
    for index in prepared.sinks.indices {
      _ = backbone.input(3 + index).update(fromContentsOf: prepared.sinks[index])
    }
    // Value by value: sharing the storage would allocate at the next write, when nothing may.
    for index in 0..<dimension {
      start[index] = prepared.start[index]
      if checkpointPosition == 0 { checkpointLatent[index] = start[index] }
      if position == 0 { latent[index] = start[index] }
    }
  }

  /// Sets options without allocation, whatever their style: it was prepared before.
  func take(_ options: GenerationOptions, prepared: PreparedStyle) {
    self.prepared = prepared
    self.options = options
    self.prepared = nil
  }

  /// What a stream plays of a style.
  struct PreparedStyle: Sendable {
    let sinks: [[Float]]
    let start: [Float]
    /// False where the style is another model's: what stands here is then the model's own.
    let fits: Bool

    init(_ style: Style?, of model: ContinuousModel) {
      fits = style?.fits(model) ?? true
      let style = fits ? style : nil
      sinks = model.backbone.sinks(of: style)
      start = (style?.weights.first { $0.name == model.start.name } ?? model.start).floats()
    }
  }

  /// Runs the backbone on the last latent, turned up by the feedback gain and mixed with context noise.
  private func think() {
    // What stands before the first latent is learned, and was never noised in training.
    let (level, gain) =
      position == 0
      ? (0, 1)
      : (min(1, options.contextNoise * factors.contextNoise), options.feedbackGain * factors.feedbackGain)
    var gains = options.noiseLaw.gains(level)
    gains.signal *= gain
    random(purpose: 0).normal(into: noise, from: draws * dimension)
    let input = backbone.input(0)
    for index in 0..<dimension { input[index] = gains.signal * latent[index] + gains.noise * noise[index] }
    backbone.input(1)[0] = level
    backbone.integers(2)[0] = Int32(truncatingIfNeeded: position)
    backbone.run()
  }

  /// Integrates the flow from noise to a latent.
  private func draw() -> UnsafeBufferPointer<Float> {
    let x = sampler.input(0)
    random(purpose: 1).normal(into: x, from: draws * dimension)
    let temperature = options.temperature * factors.temperature
    for index in 0..<dimension { x[index] *= temperature }
    draws += 1
    _ = sampler.input(3).update(from: backbone.output(0))
    let (origin, schedule) = (sampler.input(4), FlowSchedule(count: options.steps))
    _ = origin.update(fromContentsOf: x)
    for index in 0..<schedule.count {
      let evaluation = schedule[index]
      sampler.input(1)[0] = evaluation.time
      sampler.input(2)[0] = evaluation.gain
      sampler.run()
      _ = x.update(from: sampler.output(0))
      if evaluation.endsInterval { _ = origin.update(fromContentsOf: x) }
    }
    return UnsafeBufferPointer(x)
  }

  private var factors: Style.Factors { options.style?.factors ?? Style.Factors() }

  private func random(purpose: UInt64) -> RandomStream { RandomStream(seed: options.seed, stream: purpose) }

  private func saveCheckpoint() {
    state.save(into: checkpoint)
    for index in 0..<dimension { checkpointLatent[index] = latent[index] }
    checkpointPosition = position
  }

  private func recover(completely: Bool) {
    if completely {
      state.reset()
      for index in 0..<dimension { latent[index] = start[index] }
      position = 0
      saveCheckpoint()
      return
    }
    state.restore(from: UnsafeRawBufferPointer(checkpoint))
    for index in 0..<dimension { latent[index] = checkpointLatent[index] }
    position = checkpointPosition
  }
}

extension LatentStream {
  /// Bytes of the stream's state.
  var stateByteCount: Int { state.byteCount }
  /// Bytes of the copy to go back to, and of what stands beside it.
  var checkpointByteCount: Int { checkpoint.count + 4 * dimension * MemoryLayout<Float>.stride }
}

// MARK: - Saving

extension LatentStream {
  /// Everything that the future of a stream depends on, besides options.
  public struct Snapshot: Sendable {
    let fingerprint: UInt64
    var state: [UInt8]
    var latent: [Float]
    var position: Int
    var draws: Int
  }

  public func save() -> Snapshot {
    Snapshot(
      fingerprint: fingerprint, state: state.save(), latent: latent.map { $0 }, position: position,
      draws: draws)
  }

  /// Throws ``GenerationError`` where the snapshot belongs to another model.
  public func restore(_ snapshot: Snapshot) throws {
    guard snapshot.fingerprint == fingerprint, state.restore(snapshot.state) else {
      throw GenerationError("the saved state belongs to another model")
    }
    latent = (snapshot.position == 0 ? start : snapshot.latent).map { $0 }
    position = snapshot.position
    draws = snapshot.draws
    saveCheckpoint()
  }
}
