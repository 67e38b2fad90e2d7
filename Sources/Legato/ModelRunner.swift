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
  private var modulations: [Int: Plan] = [:]
  private var velocities: [Int: Plan] = [:]
  private var times: Plan?
  /// What ``times`` has computed last.
  private var timesBlock = TimesBlock()
  private let modulationWidths: [Int]
  /// Whether nothing may be recorded any more, whatever number of evaluations is asked for.
  private var isComplete = false

  /// How many positions a stream can go back.
  static let mostBack = 64
  /// Rows of modulations that are computed at once: more would be bound by arithmetic, and their results leave the cache.
  static let mostRows = 32
  /// How many latents of a prompt are read at once, at most.
  private static let mostPrefilled = 128

  init(model: ContinuousModel, engine: CPUEngine, slots: Int) {
    self.model = model
    self.engine = engine
    state = StreamState(engine: engine, slots: slots)
    backboneState = model.backbone.makeState(
      in: state, settings: StreamState(engine: engine, slots: slots), margin: Self.mostBack)
    freeSlots = Lock(Array((0..<slots).reversed()))
    modulationWidths = model.sampler.modulationWidths
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
    _ = (backbone(batch: 1), velocity(batch: 1), timePlan())
    var rows = 1
    while rows <= Self.mostRows {
      _ = modulation(rows: rows)
      rows *= 2
    }
    isComplete = true
  }

  /// Gives a slot sinks, as `Backbone.sinks(of:)` gives them. Does not allocate.
  func set(sinks: [[Float]], slot: Int) { model.backbone.set(sinks: sinks, slot: slot, in: backboneState) }

  /// Lets every stream's backbone read its pending latent, and draws its next one into `drawn`.
  func advance(_ streams: [StreamCore]) { draw(streams, positions: think(streams)) }

  /// What stands for each stream's position, `[B, width]`, valid until the next call.
  func think(_ streams: [StreamCore]) -> UnsafeBufferPointer<Float> {
    let plan = backbone(batch: streams.count)
    let dimension = model.configuration.latentDimension
    for (row, stream) in streams.enumerated() {
      stream.writeInput(
        to: plan.input(0).extracting(row * dimension..<(row + 1) * dimension), level: &plan.input(1)[row])
      plan.integers(2)[row] = Int32(truncatingIfNeeded: stream.position)
      plan.integers(3)[row] = Int32(stream.slot)
      stream.startDraw()
    }
    plan.run()
    return plan.output(0)
  }

  /// Integrates every stream's flow from noise to a latent. `positions` `[B, width]`: what stands for each one's position.
  func draw(_ streams: [StreamCore], positions: UnsafeBufferPointer<Float>) {
    var evaluations = 0
    for stream in streams { evaluations = max(evaluations, stream.schedule.count) }
    let atOnce = max(1, Self.mostRows / streams.count)
    var first = 0
    while first < evaluations {
      let end = min(evaluations, first + atOnce)
      let modulations = modulate(streams, positions: positions, first..<end)
      for index in first..<end {
        var active = 0
        for stream in streams where index < stream.schedule.count { active += 1 }
        evaluate(streams, index, active: active, modulations: modulations, of: first..<end)
      }
      first = end
    }
  }

  /// Modulations of these evaluations, stream after stream: one row for each evaluation that a stream has among them.
  private func modulate(
    _ streams: [StreamCore], positions: UnsafeBufferPointer<Float>, _ range: Range<Int>
  ) -> Plan {
    var rows = 0
    for stream in streams { rows += stream.schedule.evaluations(in: range) }
    let plan = modulation(rows: isComplete ? Self.recordedRows(rows) : rows)
    let width = model.sampler.configuration.width
    let input = plan.input(0)
    var row = 0
    for (place, stream) in streams.enumerated() {
      let first = embedTimes(of: stream, in: range)
      for index in range where index < stream.schedule.count {
        for column in 0..<width {
          input[row * width + column] =
            stream.times[(index - first) * width + column] + positions[place * width + column]
        }
        row += 1
      }
    }
    plan.run()
    return plan
  }

  /// Sees to it that the stream has what stands for the times of these evaluations; says which evaluation its first row is of.
  ///
  /// A schedule that fits is computed once; a longer one in every frame, in as few pieces as the table has room for, and once for all
  /// streams that have it.
  private func embedTimes(of stream: StreamCore, in range: Range<Int>) -> Int {
    let count = stream.schedule.count
    let end = min(count, range.upperBound)
    let present = stream.timesBlock
    if range.lowerBound >= end { return range.lowerBound }
    if present.count == count, present.first <= range.lowerBound, end <= present.first + Self.mostRows {
      return present.first
    }
    let wanted = TimesBlock(count: count, first: count <= Self.mostRows ? 0 : range.lowerBound)
    let plan = timePlan()
    let rows = min(Self.mostRows, count - wanted.first)
    if timesBlock != wanted {
      for row in 0..<rows { plan.input(0)[row] = stream.schedule[wanted.first + row].time }
      plan.run()
      timesBlock = wanted
    }
    let width = model.sampler.configuration.width
    for index in 0..<rows * width { stream.times[index] = plan.output(0)[index] }
    stream.timesBlock = wanted
    return wanted.first
  }

  /// The least number of rows that ``recordAll()`` has recorded for so many.
  private static func recordedRows(_ rows: Int) -> Int {
    var recorded = 1
    while recorded < rows { recorded *= 2 }
    return recorded
  }

  /// One evaluation of the velocity, and the step that it leads to, of every stream that has so many.
  private func evaluate(
    _ streams: [StreamCore], _ index: Int, active: Int, modulations: Plan, of range: Range<Int>
  ) {
    let plan = velocity(batch: active)
    let dimension = model.configuration.latentDimension
    let (x, gains, origins) = (plan.input(0), plan.input(1), plan.input(2))
    var (row, source) = (0, index - range.lowerBound)
    for stream in streams {
      let own = stream.schedule.evaluations(in: range)
      defer { source += own }
      guard index < stream.schedule.count else { continue }
      gains[row] = stream.schedule[index].gain
      for column in 0..<dimension {
        x[row * dimension + column] = stream.drawn[column]
        origins[row * dimension + column] = stream.origin[column]
      }
      for (part, width) in modulationWidths.enumerated() {
        _ = plan.input(3 + part).extracting(row * width..<(row + 1) * width)
          .update(from: modulations.output(part).extracting(source * width..<(source + 1) * width))
      }
      row += 1
    }
    plan.run()
    let moved = plan.output(0)
    row = 0
    for stream in streams where index < stream.schedule.count {
      for column in 0..<dimension { stream.drawn[column] = moved[row * dimension + column] }
      if stream.schedule[index].endsInterval { _ = stream.origin.update(from: stream.drawn) }
      row += 1
    }
  }

  /// Lets one stream's backbone read `count` latents at once: `write(row, latent, level)` fills each, `[D]`, from `position` on.
  func prefill(
    _ stream: StreamCore, count: Int,
    write: (Int, UnsafeMutableBufferPointer<Float>, inout Float) -> Void
  ) {
    let dimension = model.configuration.latentDimension
    guard count > 0 else { return }
    // In equal parts: weights are read once a part, however short it is. Plans of other lengths are let go.
    let parts = (count - 1) / Self.mostPrefilled + 1
    let lengths = (1...parts).map { count * $0 / parts - count * ($0 - 1) / parts }
    prefills = prefills.filter { lengths.contains($0.key) }
    var done = 0
    for length in lengths {
      let plan = prefill(length: length)
      for row in 0..<length {
        write(
          done + row, plan.input(0).extracting(row * dimension..<(row + 1) * dimension), &plan.input(1)[row])
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
      record(batch: batch, length: 1) { model.sampler.embedding(of: $0) }
    }
  }

  private func prefill(length: Int) -> Plan {
    prefills.value(at: length) { record(batch: 1, length: length, rounding: true) { $0 } }
  }

  private func record(
    batch: Int, length: Int, rounding: Bool = false, _ finish: (Tensor) -> Tensor
  ) -> Plan {
    engine.record(
      inputs: [
        .init([batch, length, model.configuration.latentDimension]), .init([batch, length, 1]),
        .init([batch * length], .int32), .init([batch], .int32),
      ], rounding: rounding
    ) { inputs in
      [
        finish(
          model.backbone(
            inputs[0], noise: inputs[1], positions: inputs[2], slots: inputs[3], state: &backboneState))
      ]
    }
  }

  private func modulation(rows: Int) -> Plan {
    modulations.value(at: rows) {
      engine.record(inputs: [.init([rows, 1, model.sampler.configuration.width])]) { inputs in
        model.sampler.modulations(inputs[0])
      }
    }
  }

  private func velocity(batch: Int) -> Plan {
    velocities.value(at: batch) {
      let dimension = model.configuration.latentDimension
      let latents = PlanInput([batch, 1, dimension])
      return engine.record(
        inputs: [latents, .init([batch, 1, 1]), latents]
          + modulationWidths.map { .init([batch, 1, $0]) }
      ) { inputs in
        [inputs[2] + model.sampler.velocity(inputs[0], modulations: Array(inputs[3...])) * inputs[1]]
      }
    }
  }

  private func timePlan() -> Plan {
    if let times { return times }
    let plan = engine.record(inputs: [.init([Self.mostRows, 1, 1])]) {
      [model.sampler.embedding(ofTime: $0[0])]
    }
    times = plan
    return plan
  }
}

extension Dictionary {
  /// The value at a key, made at first use.
  fileprivate mutating func value(at key: Key, make: () -> Value) -> Value {
    if let known = self[key] { return known }
    let made = make()
    self[key] = made
    return made
  }
}

extension FlowSchedule {
  /// How many of the evaluations in `range` it has.
  fileprivate func evaluations(in range: Range<Int>) -> Int {
    Swift.max(0, Swift.min(count, range.upperBound) - range.lowerBound)
  }
}
