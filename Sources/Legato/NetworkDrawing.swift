import LegatoModels
import LegatoTensor

/// How a ``ModelRunner`` draws latents once it knows their conditions.
protocol LatentDrawing: AnyObject {
  /// Draws every stream's next latent into its `drawn`; `conditions` are those of ``Sampler/conditions(of:)``, row after row.
  func draw(_ streams: [StreamCore], conditions: UnsafeBufferPointer<Float>)

  /// Records all that one stream alone can ask for.
  func recordAll()
}

/// Draws by a network that is asked once or several times, for all streams at once: all but a mixture and codes.
final class NetworkDrawing: LatentDrawing {
  private let network: SamplerNetwork
  private let dimension: Int
  private let engine: CPUEngine
  // Recorded at first use, by the size of their batch.
  private var modulations: [Int: Plan] = [:]
  private var evaluations: [Int: Plan] = [:]
  private var times: Plan?
  /// What ``times`` has computed last.
  private var timesBlock = TimesBlock()
  private let modulationWidths: [Int]
  /// Whether nothing may be recorded any more, whatever number of evaluations is asked for.
  private var isComplete = false

  /// Rows of modulations that are computed at once: more would be bound by arithmetic, and their results leave the cache.
  static let mostRows = 32

  init(_ network: SamplerNetwork, of model: ContinuousModel, engine: CPUEngine) {
    self.network = network
    self.engine = engine
    dimension = model.configuration.latentDimension
    modulationWidths = network.modulationWidths
  }

  func recordAll() {
    _ = (evaluation(batch: 1), timePlan())
    // A diffusion's table is made at first use.
    if network.configuration.kind == .diffusion { _ = DiffusionSchedule.gains(step: 1) }
    var rows = 1
    while rows <= Self.mostRows {
      _ = modulation(rows: rows)
      rows *= 2
    }
    isComplete = true
  }

  func draw(_ streams: [StreamCore], conditions: UnsafeBufferPointer<Float>) {
    var evaluations = 0
    for stream in streams { evaluations = max(evaluations, stream.schedule.count) }
    let atOnce = max(1, Self.mostRows / streams.count)
    var first = 0
    while first < evaluations {
      let end = min(evaluations, first + atOnce)
      let modulations = modulate(streams, conditions: conditions, first..<end)
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
    _ streams: [StreamCore], conditions: UnsafeBufferPointer<Float>, _ range: Range<Int>
  ) -> Plan {
    var rows = 0
    for stream in streams { rows += stream.schedule.evaluations(in: range) }
    let plan = modulation(rows: isComplete ? Self.recordedRows(rows) : rows)
    let width = network.configuration.width
    let input = plan.input(0)
    var row = 0
    for (place, stream) in streams.enumerated() {
      let first = embedTimes(of: stream, in: range)
      for index in range where index < stream.schedule.count {
        for column in 0..<width {
          input[row * width + column] =
            stream.times[(index - first) * width + column] + conditions[place * width + column]
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
      for row in 0..<rows {
        plan.input(0)[row] = stream.schedule.time(wanted.first + row)
        plan.input(1)[row] = stream.schedule.span
      }
      plan.run()
      timesBlock = wanted
    }
    let width = network.configuration.width
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

  /// One evaluation of the network, and the step that it leads to, of every stream that has so many.
  private func evaluate(
    _ streams: [StreamCore], _ index: Int, active: Int, modulations: Plan, of range: Range<Int>
  ) {
    let plan = evaluation(batch: active)
    let (x, gains, origins) = (plan.input(0), plan.input(1), plan.input(2))
    var (row, source) = (0, index - range.lowerBound)
    for stream in streams {
      let own = stream.schedule.evaluations(in: range)
      defer { source += own }
      guard index < stream.schedule.count else { continue }
      let columns = row * dimension..<(row + 1) * dimension
      gains[row] = stream.writeEvaluation(
        index, x: x.extracting(columns), origin: origins.extracting(columns))
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
      stream.takeEvaluation(index, moved.extracting(row * dimension..<(row + 1) * dimension))
      row += 1
    }
  }

  // MARK: Plans

  private func modulation(rows: Int) -> Plan {
    modulations.value(at: rows) {
      engine.record(inputs: [.init([rows, 1, network.configuration.width])]) { inputs in
        network.modulations(inputs[0])
      }
    }
  }

  private func evaluation(batch: Int) -> Plan {
    evaluations.value(at: batch) {
      let latents = PlanInput([batch, 1, dimension])
      return engine.record(
        inputs: [latents, .init([batch, 1, 1]), latents]
          + modulationWidths.map { .init([batch, 1, $0]) }
      ) { inputs in
        [inputs[2] + network(inputs[0], modulations: Array(inputs[3...])) * inputs[1]]
      }
    }
  }

  private func timePlan() -> Plan {
    if let times { return times }
    let column = PlanInput([Self.mostRows, 1, 1])
    let plan = engine.record(inputs: [column, column]) { [network.embedding(ofTime: $0[0], span: $0[1])] }
    times = plan
    return plan
  }
}

extension DrawSchedule {
  /// How many of the evaluations in `range` it has.
  fileprivate func evaluations(in range: Range<Int>) -> Int {
    Swift.max(0, Swift.min(count, range.upperBound) - range.lowerBound)
  }
}
