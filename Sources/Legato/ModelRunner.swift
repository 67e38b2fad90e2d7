import LegatoModels
import LegatoTensor

/// The model on an engine, for several streams at once: the plans of a frame, and the state of every stream in a slot of its own.
///
/// Weights are read once a frame for all streams together. What a stream draws is the same bytes alone and among others.
/// Belongs to one thread, but for ``giveBack(slot:)``, which any may call.
final class ModelRunner {
  let model: ContinuousModel
  let engine: CPUEngine
  /// The attention's caches: what is saved and restored.
  let state: StreamState

  private var backboneState: Backbone.State
  /// Locked, since whoever drops a stream last gives its slot back, on any thread.
  private let freeSlots: Lock<[Int]>
  // Recorded at first use, by the size of their batch.
  private var backbones: [Int: Plan] = [:]
  private var prefills: [Int: Plan] = [:]
  private let drawing: any LatentDrawing

  /// How many positions a stream can go back.
  static let mostBack = 64
  /// How many latents of a prompt are read at once, at most.
  private static let mostPrefilled = 128

  init(model: ContinuousModel, engine: CPUEngine, slots: Int) {
    precondition(model.configuration.backbone.isCausal, "a model that draws whole sequences cannot stream")
    self.model = model
    self.engine = engine
    state = StreamState(engine: engine, slots: slots)
    backboneState = model.backbone.makeState(
      in: state, settings: StreamState(engine: engine, slots: slots), margin: Self.mostBack)
    freeSlots = Lock(Array((0..<slots).reversed()))
    drawing =
      switch model.sampler {
      case .flow(let network), .flowMap(let network), .diffusion(let network):
        NetworkDrawing(network, of: model, engine: engine)
      case .mixture(let mixture):
        DirectDrawing(width: mixture.parameterCount) { $0.draw(from: mixture, $1) }
      case .codes(let codes): DirectDrawing(width: codes.parameterCount) { $0.draw(from: codes, $1) }
      }
  }

  /// A slot for a new stream; nil where all are taken.
  func takeSlot() -> Int? {
    let slot = freeSlots.withLock { $0.popLast() }
    if let slot { state.touch(slot: slot) }
    return slot
  }

  func giveBack(slot: Int) {
    state.reset(slot: slot)
    freeSlots.withLock { $0.append(slot) }
  }

  /// Records all that one stream alone can ask for, so that no number of steps makes it allocate later.
  func recordAll() {
    _ = backbone(batch: 1)
    drawing.recordAll()
  }

  /// Gives a slot sinks, as `Backbone.sinks(of:)` gives them. Does not allocate.
  func set(sinks: [[Float]], slot: Int) { model.backbone.set(sinks: sinks, slot: slot, in: backboneState) }

  /// Lets every stream's backbone read its pending latent, and draws its next one into `drawn`.
  func advance(_ streams: [StreamCore]) { draw(streams, conditions: think(streams)) }

  /// What a draw needs to know of each stream's position (``Sampler/conditions(of:)``), row after row; valid until the next call.
  func think(_ streams: [StreamCore]) -> UnsafeBufferPointer<Float> {
    let plan = backbone(batch: streams.count)
    let dimension = model.configuration.inputDimension
    for (row, stream) in streams.enumerated() {
      let columns = row * dimension..<(row + 1) * dimension
      stream.writeInput(
        to: plan.input(0).extracting(columns), clean: clean(of: plan, columns), level: &plan.input(1)[row])
      plan.integers(2)[row] = Int32(truncatingIfNeeded: stream.position)
      plan.integers(3)[row] = Int32(stream.slot)
      stream.startDraw()
    }
    plan.run()
    return plan.output(0)
  }

  /// Draws every stream's next latent into its `drawn`, given what ``think(_:)`` says.
  func draw(_ streams: [StreamCore], conditions: UnsafeBufferPointer<Float>) {
    drawing.draw(streams, conditions: conditions)
  }

  /// Where a plan's latents without noise are written; nil where the model does not read them.
  private func clean(of plan: Plan, _ columns: Range<Int>) -> UnsafeMutableBufferPointer<Float>? {
    model.backbone.readsClean ? plan.input(4).extracting(columns) : nil
  }

  /// Lets one stream's backbone read `count` latents at once: `write(row, latent, clean, level)` fills each, `[D]`, from `position` on.
  func prefill(
    _ stream: StreamCore, count: Int,
    write: (Int, UnsafeMutableBufferPointer<Float>, UnsafeMutableBufferPointer<Float>?, inout Float) -> Void
  ) {
    let dimension = model.configuration.inputDimension
    guard count > 0 else { return }
    // In equal parts: weights are read once a part, however short it is. Plans of other lengths are let go.
    let parts = (count - 1) / Self.mostPrefilled + 1
    let lengths = (1...parts).map { count * $0 / parts - count * ($0 - 1) / parts }
    prefills = prefills.filter { lengths.contains($0.key) }
    var done = 0
    for length in lengths {
      let plan = prefill(length: length)
      for row in 0..<length {
        let columns = row * dimension..<(row + 1) * dimension
        write(
          done + row, plan.input(0).extracting(columns), clean(of: plan, columns), &plan.input(1)[row])
        plan.integers(2)[row] = Int32(truncatingIfNeeded: stream.position + done + row)
      }
      plan.integers(3)[0] = Int32(stream.slot)
      plan.run()
      done += length
    }
  }

  // MARK: Plans

  private func backbone(batch: Int) -> Plan {
    backbones.value(at: batch) {
      record(batch: batch, length: 1) { model.sampler.conditions(of: $0) }
    }
  }

  private func prefill(length: Int) -> Plan {
    prefills.value(at: length) { record(batch: 1, length: length, rounding: true) { $0 } }
  }

  private func record(
    batch: Int, length: Int, rounding: Bool = false, _ finish: (Tensor) -> Tensor
  ) -> Plan {
    let latents = PlanInput([batch, length, model.configuration.inputDimension])
    let isTwice = model.backbone.readsClean
    return engine.record(
      inputs: [
        latents, .init([batch, length, 1]), .init([batch * length], .int32), .init([batch], .int32),
      ] + (isTwice ? [latents] : []), rounding: rounding
    ) { inputs in
      [
        finish(
          model.backbone(
            inputs[0], clean: isTwice ? inputs[4] : nil, noise: inputs[1], positions: inputs[2],
            slots: inputs[3], state: &backboneState))
      ]
    }
  }
}

extension Dictionary {
  /// The value at a key, made at first use.
  mutating func value(at key: Key, make: () -> Value) -> Value {
    if let known = self[key] { return known }
    let made = make()
    self[key] = made
    return made
  }
}
