import LegatoModels
import LegatoTensor

/// The model alone, frame by frame: draws latents, feeds each back, never ends.
///
/// Belongs to one thread. Memory and time per frame do not grow. A latent that is not finite or runs away is
/// drawn again from the last good state, with other noise, and counted.
public final class LatentStream {
  /// What is out of its range is held within it (``GenerationOptions/held``).
  public var options: GenerationOptions {
    get { core.options }
    set {
      let before = core.options.style
      core.options = newValue.held
      if newValue.style != before { takeStyle() }
    }
  }
  /// How often a bad latent made the stream go back to its last good state.
  public private(set) var recoveries = 0
  /// How many latents could not be drawn at all, and are zeros: the weights are damaged, or far too large.
  public private(set) var failures = 0
  public let dimension: Int

  let core: StreamCore
  private let alone: [StreamCore]
  private let runner: ModelRunner
  private let fingerprint: UInt64
  /// Where a stream goes back to: the cache reaches far enough.
  private var checkpoint: (latent: [Float], position: Int)
  /// Of the style that is being taken, where it was prepared.
  private var prepared: PreparedStyle?

  /// Normalised latents have variance 1: beyond this a value is no music.
  static let limit: Float = 24
  /// Where a stream begins anew, 16 months after it began at 25 latents a second: plans count positions in 32 bits, prompts included.
  static let mostPositions = 1 << 30

  /// A stream with an engine of its own.
  public convenience init(model: ContinuousModel, engine: CPUEngine, options: GenerationOptions) {
    let runner = ModelRunner(model: model, engine: engine, slots: 1)
    self.init(runner: runner, slot: runner.takeSlot() ?? 0, options: options)
  }

  /// A stream in a slot that it owns from now on.
  init(runner: ModelRunner, slot: Int, options: GenerationOptions) {
    self.runner = runner
    core = StreamCore(runner: runner, slot: slot, options: options.held)
    alone = [core]
    dimension = runner.model.configuration.latentDimension
    fingerprint = runner.model.fingerprint
    checkpoint = ([Float](repeating: 0, count: core.latent.count), 0)
    takeStyle()
  }

  /// Latents drawn or fed since the start.
  public var position: Int { core.position }

  /// The latent drawn or fed last, `[dimension]`, normalised: what the next is made from. Of codes the last that is complete.
  public var latent: [Float] { Array(core.decodable) }

  /// Positions between a draw and the latent that it completes: of codes, else 0.
  var delay: Int { runner.model.sampler.codes?.delay ?? 0 }

  /// Draws the next latent, `[dimension]`, normalised; valid until the next call.
  public func next() -> UnsafeBufferPointer<Float> {
    prepare()
    runner.advance(alone)
    return finish()
  }

  /// Before a draw: keeps a good state to go back to.
  func prepare() {
    if core.position >= Self.mostPositions { recover(completely: true) }
    if core.position - checkpoint.position >= ModelRunner.mostBack { saveCheckpoint() }
  }

  /// After a draw: takes what was drawn, or draws again where it is no music.
  func finish() -> UnsafeBufferPointer<Float> {
    var attempts = 0
    while !core.isSound {
      recoveries += 1
      attempts += 1
      recover(completely: attempts > 3)
      if attempts > 8 {
        // Weights that cannot draw a finite latent give silence, not noise.
        core.silence()
        failures += 1
        return core.decodable
      }
      runner.advance(alone)
    }
    _ = core.latent.update(from: core.drawn)
    core.position += 1
    return core.decodable
  }

  /// Feeds latents of a recording, `[count, dimension]`, normalised, as if they had been drawn.
  ///
  /// Throws ``GenerationError`` where one is not finite or far outside of what latents are; none is fed then.
  public func feed(_ given: UnsafeBufferPointer<Float>) throws {
    try check(given)
    let (count, position, draws) = (given.count / dimension, core.position, core.draws)
    guard count > 0 else { return }
    // The backbone reads what is pending and all that is given but the last, which is pending then.
    runner.prefill(core, count: count) { row, input, clean, level in
      let latent =
        row == 0
        ? UnsafeBufferPointer(core.latent) : given.extracting((row - 1) * dimension..<row * dimension)
      core.write(latent, at: position + row, draw: draws + row, to: input, clean: clean, level: &level)
    }
    core.draws += count
    core.position += count
    _ = core.latent.update(from: given.extracting((count - 1) * dimension..<count * dimension))
    saveCheckpoint()
  }

  /// Throws ``GenerationError`` where ``feed(_:)`` would.
  func check(_ given: UnsafeBufferPointer<Float>) throws {
    guard runner.model.configuration.sampler.kind != .codes else {
      throw GenerationError("a model of codes cannot continue a recording; use one of continuous latents")
    }
    guard given.allSatisfy({ abs($0) < Self.limit }) else {
      throw GenerationError(
        "the recording cannot be encoded: its level is far above ±1, or the codec does not fit it")
    }
  }

  /// Puts the style's sinks in place: the next latent hears them. One of another model is not taken.
  private func takeStyle() {
    let prepared = prepared ?? PreparedStyle(core.options.style, of: runner.model)
    if !prepared.fits { core.options.style = nil }
    runner.set(sinks: prepared.sinks, slot: core.slot)
    // Value by value: sharing the storage would allocate at the next write, when nothing may.
    for index in core.start.indices { core.start[index] = prepared.start[index] }
    if core.position == 0 { core.begin() }
    if checkpoint.position == 0 {
      for index in checkpoint.latent.indices { checkpoint.latent[index] = core.first(index) }
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

  private func saveCheckpoint() {
    for index in checkpoint.latent.indices { checkpoint.latent[index] = core.latent[index] }
    checkpoint.position = core.position
  }

  private func recover(completely: Bool) {
    if completely {
      runner.state.reset(slot: core.slot)
      core.begin()
      core.position = 0
      saveCheckpoint()
      return
    }
    _ = core.latent.update(fromContentsOf: checkpoint.latent)
    core.position = checkpoint.position
  }
}

extension LatentStream {
  /// Bytes of the stream's state.
  var stateByteCount: Int { runner.state.byteCount }
  /// Bytes of what stands beside it: latents, noise and the table of times.
  var bufferByteCount: Int { core.byteCount + checkpoint.latent.count * MemoryLayout<Float>.stride }
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
      fingerprint: fingerprint, state: runner.state.save(slot: core.slot), latent: Array(core.latent),
      position: position,
      draws: core.draws)
  }

  /// Whether what was drawn last can be gone on from.
  func accepts(_ snapshot: Snapshot) -> Bool { core.accepts(snapshot.latent) }

  /// Throws ``GenerationError`` where the snapshot belongs to another model.
  public func restore(_ snapshot: Snapshot) throws {
    guard snapshot.fingerprint == fingerprint, core.accepts(snapshot.latent),
      (0...Self.mostPositions).contains(snapshot.position), snapshot.draws >= 0,
      runner.state.restore(snapshot.state, slot: core.slot)
    else {
      throw GenerationError("the saved state belongs to another model, or is damaged")
    }
    if snapshot.position == 0 {
      core.begin()
    } else {
      _ = core.latent.update(fromContentsOf: snapshot.latent)
    }
    core.position = snapshot.position
    core.draws = snapshot.draws
    saveCheckpoint()
  }
}
