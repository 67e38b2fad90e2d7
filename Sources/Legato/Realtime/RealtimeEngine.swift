import LegatoAudio
import LegatoModels
import Synchronization

/// Options with their style worked out, so that the engine takes them without allocation.
struct LiveOptions: Sendable {
  var options: GenerationOptions
  var style: LatentStream.PreparedStyle

  init(_ options: GenerationOptions, of model: ContinuousModel) {
    self.options = options
    style = LatentStream.PreparedStyle(options.style, of: model)
  }

  /// Bytes of the style's numbers.
  var byteCount: Int {
    style.sinks.reduce(style.start.count) { $0 + $1.count } * MemoryLayout<Float>.stride
  }
}

/// What a stream's engine shares with other threads.
final class EngineShared: Sendable {
  /// What is known once the session is made.
  struct Ready {
    var hasPriority: Bool
    var threads: Int
    var instructionSet: String
  }

  let ring: AudioRing
  /// Locked only while the stream is being made.
  let ready = Lock<Ready?>(nil)
  let options = Mailbox<LiveOptions>()
  let isStarted = Atomic<Bool>(false)
  let isPaused = Atomic<Bool>(false)
  let isStopped = Atomic<Bool>(false)

  let frames = Atomic<Int>(0)
  /// Nanoseconds.
  let frameTime = Atomic<Int>(0)
  let longestFrameTime = Atomic<Int>(0)
  let recoveries = Atomic<Int>(0)
  let limitedSamples = Atomic<Int>(0)
  let failedFrames = Atomic<Int>(0)
  let stateBytes = Atomic<Int>(0)
  let bufferBytes = Atomic<Int>(0)

  /// Something that a controller wants done between two frames.
  final class Command: Sendable {
    let body: @Sendable (RealtimeEngine) -> Void
    let isDone = Atomic<Bool>(false)

    init(_ body: @escaping @Sendable (RealtimeEngine) -> Void) { self.body = body }
  }

  let command = Atomic<Unmanaged<Command>?>(nil)

  init(ring: AudioRing) { self.ring = ring }

  /// Has the engine do something, and waits for it. Belongs to the controller that holds the lock, so there is one
  /// command at a time, and the engine runs.
  func perform<Value: Sendable>(
    _ body: @escaping @Sendable (RealtimeEngine) throws -> Value
  ) throws -> Value {
    let outcome = Outcome<Value>()
    let command = Command { engine in
      let result = Result { try body(engine) }
      outcome.result.withLock { $0 = result }
    }
    self.command.store(.passRetained(command), ordering: .releasing)
    while !command.isDone.load(ordering: .acquiring) { EngineThread.sleep(nanoseconds: 200_000) }
    guard let result = outcome.result.withLock({ $0 }) else {
      throw GenerationError("the engine has ended")
    }
    return try result.get()
  }

  private final class Outcome<Value: Sendable>: Sendable {
    let result = Lock<Result<Value, any Error>?>(nil)
  }
}

/// A stream's session on its own thread, and the loop that keeps the ring full.
final class RealtimeEngine {
  let session: Session
  private let source: ChunkSource
  private let shared: EngineShared
  private var producer: AudioRing.Producer
  private let memory: PlanarMemory
  /// Samples of a restored state that are still to go to the ring, and how many have gone.
  private var backlog: PlanarMemory?
  private var backlogPosition = 0

  init(_ session: Session, _ shared: EngineShared) {
    self.session = session
    self.shared = shared
    source = ChunkSource(session)
    producer = shared.ring.takeProducer()
    memory = PlanarMemory(channels: session.channels, capacity: session.samplesPerFrame)
    publishFootprint()
  }

  /// Plans are made at first use, so it is looked at again.
  private func publishFootprint() {
    let footprint = session.memoryFootprint
    shared.stateBytes.store(footprint.state, ordering: .relaxed)
    shared.bufferBytes.store(
      footprint.buffers + memory.byteCount + source.bufferByteCount, ordering: .relaxed)
  }

  func run() {
    // Long enough to rest, short enough to make a frame before the next is needed.
    let pause = min(10_000_000, 1_000_000_000 / session.sampleRate * session.samplesPerFrame / 4)
    while !shared.isStopped.load(ordering: .acquiring) {
      takeCommand()
      takeOptions()
      if !shared.isStarted.load(ordering: .acquiring) || !advance() { EngineThread.sleep(nanoseconds: pause) }
    }
  }

  /// Writes a frame; false where there is no room.
  private func advance() -> Bool {
    if let backlog {
      let count = min(producer.room, backlog.capacity - backlogPosition)
      if count > 0 { _ = producer.write(backlog.rows, from: backlogPosition, frames: count) }
      backlogPosition += count
      if backlogPosition == backlog.capacity { self.backlog = nil }
      return count > 0
    }
    guard producer.room >= session.samplesPerFrame else { return false }
    let start = EngineThread.now()
    let count = source.render(into: memory.rows)
    let time = EngineThread.now() - start
    _ = producer.write(memory.rows, frames: count)
    // Nobody else writes these.
    shared.frames.add(1, ordering: .relaxed)
    shared.frameTime.add(time, ordering: .relaxed)
    if time > shared.longestFrameTime.load(ordering: .relaxed) {
      shared.longestFrameTime.store(time, ordering: .relaxed)
    }
    shared.recoveries.store(session.latents.recoveries, ordering: .relaxed)
    shared.limitedSamples.store(source.limitedSamples, ordering: .relaxed)
    shared.failedFrames.store(source.failedFrames, ordering: .relaxed)
    publishFootprint()
    return true
  }

  private func takeOptions() { shared.options.take { session.take($0.options, prepared: $0.style) } }

  private func takeCommand() {
    guard shared.command.load(ordering: .relaxed) != nil,
      let command = shared.command.exchange(nil, ordering: .acquiring)?.takeRetainedValue()
    else { return }
    // Those that were posted before it.
    takeOptions()
    command.body(self)
    command.isDone.store(true, ordering: .releasing)
  }

  // MARK: Commands

  func prompt(_ audio: [[Float]], keepsStyle: Bool) throws -> GenerationOptions {
    try session.prompt(audio, keepsStyle: keepsStyle)
    replaceWaiting(by: nil)
    return session.options
  }

  func save() -> RealtimeStream.Snapshot {
    var waiting = producer.waiting()
    if let backlog {
      let rest = backlog.arrays(backlogPosition..<backlog.capacity)
      for channel in waiting.indices { waiting[channel] += rest[channel] }
    }
    return RealtimeStream.Snapshot(
      source: source.save(), options: .init(session.options), waiting: waiting)
  }

  func restore(_ snapshot: RealtimeStream.Snapshot) throws -> GenerationOptions {
    let options = try snapshot.options.options(in: session.package)
    guard snapshot.waiting.count == session.channels else {
      throw GenerationError(
        "the saved state has \(snapshot.waiting.count) channels, the codec \(session.channels)")
    }
    try source.restore(snapshot.source)
    session.options = options
    replaceWaiting(by: snapshot.waiting[0].isEmpty ? nil : PlanarMemory(snapshot.waiting))
    return options
  }

  private func replaceWaiting(by samples: PlanarMemory?) {
    producer.discard()
    (backlog, backlogPosition) = (samples, 0)
  }
}
