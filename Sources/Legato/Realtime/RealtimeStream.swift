// Threads and calls. There are three kinds of threads, and every call of a stream belongs to one:
//
//   controller   any thread that may wait, such as the one of the user interface: init, start, waitUntilFull, pause, resume,
//                update, options, prompt, save, restore, stop. Several may call at once; a lock lets one in after the other.
//                save, restore, prompt and stop wait for the engine, a frame's time at most; restore and prompt also
//                for what they do themselves. None of them is for the audio callback.
//   audio        one thread at a time, the audio callback's: pull. It never waits: no lock, no allocation, no system call, a fixed
//                number of steps and a copy. What is missing is silence, and counted. A second thread that pulls meanwhile
//                gets silence and PullError.busy; nothing is harmed.
//   any          metrics, isPaused, isStopped, and what `let` declares: they read single numbers and never wait.
//
// The engine is a thread of the stream's own, with the helpers of its thread budget. It takes what controllers changed before
// every frame, makes frames until the ring holds `depth` of them, then looks every quarter of a frame, at most every ten
// milliseconds, whether there is room. It is not woken by the reader: waking is a system call, which can take
// as long as the kernel likes in the callback, and a frame is long against a quarter of itself. Looking costs
// next to nothing.
//
// From the first frame on the engine allocates nothing, frees nothing and locks nothing up to its write to the ring, whatever
// options change. Exceptions are prompt, save and restore, when a controller asks for them.
//
// The last reference must not be dropped by the audio thread: what it drops, it frees, and it waits for the engine's end.
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import Synchronization

/// Music for an audio callback: a ``Session`` on a thread of its own that fills an ``AudioRing`` ahead of the reader.
///
/// ```swift
/// let stream = try RealtimeStream(package, options: package.options(seed: 7), depth: 4, threads: 2)
/// try stream.start()
/// // In the callback; `rows` points to a buffer for each channel:
/// let played = try? stream.pull(into: rows, frames: 512)
/// // From the user interface:
/// try stream.update { $0.temperature = 0.8 }
/// ```
/// What is pulled is what ``ChunkSource`` gives, sample for sample: limited, faded in, endless. A change is
/// heard after what waits in the ring, `depth` frames at most, the codec's delay and the limiter's.
public final class RealtimeStream: Sendable {
  public let package: ModelPackage
  /// Frames of latents that the engine is ahead of the reader at most.
  public let depth: Int
  /// Threads that work on a frame, the engine's own included.
  public let threads: Int
  /// "avx512-bf16", "avx512-vnni", "avx512", "avx2", "neon-dot", "neon", "scalar".
  public let instructionSet: String
  /// Whether the system gave the priority that was asked for.
  public let hasPriority: Bool

  /// Frames that a ring may be deep. With one, the engine could only begin a frame when nothing is left to play.
  public static let depths = 2...1024

  private let shared: EngineShared
  private let reader: RingReader
  private let thread: EngineThread
  private let control: Lock<Control>
  /// Bytes of ring and prepared style.
  private let bufferBytes: Int

  private struct Control {
    var live: LiveOptions
    var isStopped = false
  }

  /// A stream that waits for ``start()``, so that it can be given a prompt or a state before.
  ///
  /// - Parameters:
  ///   - options: nil for ``ModelPackage/options(seed:)`` of seed 0.
  ///   - depth: frames of latents ahead; a reader of large blocks needs more than ``depths`` begins with.
  ///   - threads: the thread budget, the engine's own included; nil for one a core, at most 4. More than there are
  ///     processors count as so many.
  ///   - priority: where the system refuses it, the stream plays nevertheless, and ``hasPriority`` is false.
  /// Throws ``GenerationError`` for a depth or a budget that cannot be, options that are none, or where the system gives no thread.
  public init(
    _ package: ModelPackage, options: GenerationOptions? = nil, depth: Int = 4, threads: Int? = nil,
    priority: EnginePriority = .high
  ) throws {
    let options = options ?? package.options()
    try Self.check(options, for: package)
    guard Self.depths.contains(depth) else {
      throw GenerationError(
        "a ring of \(depth) frames is asked for; it must have from \(Self.depths.lowerBound) to \(Self.depths.upperBound)"
      )
    }
    if let threads, threads < 1 {
      throw GenerationError("a budget of \(threads) threads is asked for; the engine needs at least 1")
    }
    self.package = package
    self.depth = depth
    let codec = package.codec.codec
    let shared = EngineShared(
      ring: AudioRing(channels: codec.channels, depth: depth * codec.samplesPerFrame))
    self.shared = shared
    reader = RingReader(shared.ring)
    let budget = threads.map { min($0, Platform.processorCount) }
    thread = try EngineThread {
      // Before the session is made, whose threads inherit it.
      let hasPriority = priority == .normal || EngineThread.take(priority)
      let session = Session(package, options: options, threads: budget)
      session.group.runner.recordAll()
      let engine = RealtimeEngine(session, shared)
      shared.ready.withLock {
        $0 = .init(
          hasPriority: hasPriority, threads: engine.session.threads,
          instructionSet: engine.session.instructionSet)
      }
      engine.run()
    }
    while true {
      if let ready = shared.ready.withLock({ $0 }) {
        (hasPriority, self.threads, instructionSet) = (ready.hasPriority, ready.threads, ready.instructionSet)
        break
      }
      EngineThread.sleep(nanoseconds: 500_000)
    }
    let live = LiveOptions(options, of: package.model)
    bufferBytes = shared.ring.byteCount + live.byteCount
    control = Lock(Control(live: live))
  }

  deinit { stop() }

  /// Hz.
  public var sampleRate: Int { package.codec.codec.sampleRate }
  public var channels: Int { shared.ring.channels }
  /// Samples of one frame, in each channel.
  public var samplesPerFrame: Int { package.codec.codec.samplesPerFrame }
  /// The largest block that ``pull(into:frames:)`` can give: what the ring holds when it is full.
  public var largestBlock: Int { shared.ring.depth }

  private static func check(_ options: GenerationOptions, for package: ModelPackage) throws {
    if let problem = options.problem { throw GenerationError(problem) }
    if let style = options.style, !style.fits(package.model) {
      throw GenerationError("the style '\(style.name)' belongs to another model")
    }
  }
}

// MARK: - The audio thread

/// Why a pull gave silence. Nothing has to be done about it in the callback.
public enum PullError: Error, Sendable, Hashable {
  /// The stream was stopped.
  case stopped
  /// Another thread is pulling: a stream has one reader.
  case busy
  /// A block that the ring can never hold, less than nothing, or buffers that are not as many as the channels.
  case badBlock
}

extension RealtimeStream {
  /// Takes the next samples: a row for each channel, each with room for `frames`. Rows are filled in any case but
  /// ``PullError/badBlock``: with silence where there is no music, which is counted, unless the stream is paused or has not begun to play.
  ///
  /// - Returns: samples of music in each row.
  @discardableResult
  public func pull(into rows: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, frames: Int)
    throws(PullError) -> Int
  {
    guard rows.count == channels, (0...largestBlock).contains(frames) else { throw .badBlock }
    var got = 0
    defer {
      if got < frames { for row in rows { (row + got).update(repeating: 0, count: frames - got) } }
    }
    if isStopped { throw .stopped }
    if isPaused { return 0 }
    got = try reader.pull(frames) { (consumer: inout AudioRing.Consumer) in
      consumer.read(into: rows, frames: frames)
    }
    return got
  }

  /// The same, interleaved: `[frame][channel]`, room for `frames` · ``channels`` samples.
  @discardableResult
  public func pull(interleaved output: UnsafeMutablePointer<Float>, frames: Int) throws(PullError) -> Int {
    guard (0...largestBlock).contains(frames) else { throw .badBlock }
    var got = 0
    defer {
      if got < frames {
        (output + got * channels).update(repeating: 0, count: (frames - got) * channels)
      }
    }
    if isStopped { throw .stopped }
    if isPaused { return 0 }
    got = try reader.pull(frames) { (consumer: inout AudioRing.Consumer) in
      consumer.read(interleaved: output, frames: frames)
    }
    return got
  }
}

// MARK: - Controllers

extension RealtimeStream {
  /// Lets the engine fill the ring. It returns at once; see ``waitUntilFull(seconds:)``.
  public func start() throws { try controlled { _ in shared.isStarted.store(true, ordering: .releasing) } }

  /// Waits until the ring is full, so that playing begins without a gap; false where that takes longer.
  public func waitUntilFull(seconds: Double = 10) -> Bool {
    // NaN waits for nothing.
    let end = EngineThread.now() + Int(seconds > 0 ? min(seconds, 1e6) * 1e9 : 0)
    while !isStopped {
      if shared.ring.count > shared.ring.depth - samplesPerFrame { return true }
      if EngineThread.now() > end { return false }
      EngineThread.sleep(nanoseconds: 1_000_000)
    }
    return false
  }

  /// Pulls give silence until ``resume()``, and the music waits where it is. The engine rests when the ring is full.
  public func pause() throws { try controlled { _ in shared.isPaused.store(true, ordering: .relaxed) } }

  public func resume() throws { try controlled { _ in shared.isPaused.store(false, ordering: .relaxed) } }

  /// What the next frame that is made will be made with.
  public var options: GenerationOptions { control.withLock { $0.live.options } }

  /// Changes options while the music plays. Throws ``GenerationError``, and changes nothing, where one is out of its range.
  /// `change` must not call the stream: it holds the lock that every controller takes.
  public func update(_ change: (inout GenerationOptions) throws -> Void) throws {
    try controlled { control in
      var options = control.live.options
      try change(&options)
      try Self.check(options, for: package)
      if options.style == control.live.options.style {
        control.live.options = options
      } else {
        control.live = LiveOptions(options, of: package.model)
      }
      shared.options.post(control.live)
    }
  }

  /// Makes the music continue a recording (``Session/prompt(_:keepsStyle:)``) at once: what waits in the ring is dropped.
  public func prompt(_ audio: [[Float]], keepsStyle: Bool = false) throws {
    try controlled { control in
      let options = try shared.perform { engine in try engine.prompt(audio, keepsStyle: keepsStyle) }
      control.live = LiveOptions(options, of: package.model)
    }
  }

  /// The state from the next sample on that the reader will hear: what waits in the ring is part of it.
  public func save() throws -> Snapshot {
    try controlled { _ in try shared.perform { engine in engine.save() } }
  }

  /// Goes on from a saved state, of this stream or of another on the same package, with the options it was saved with.
  /// What waits in the ring is dropped. Throws ``GenerationError``, and changes nothing, where it belongs to another package.
  public func restore(_ snapshot: Snapshot) throws {
    try controlled { control in
      let options = try shared.perform { engine in try engine.restore(snapshot) }
      control.live = LiveOptions(options, of: package.model)
    }
  }

  /// Ends the stream for good and waits for its threads; pulls give silence from then on. A second time does nothing.
  public func stop() {
    control.withLock { control in
      if control.isStopped { return }
      control.isStopped = true
      shared.isStopped.store(true, ordering: .releasing)
      thread.join()
    }
  }

  private func controlled<Result>(_ body: (inout Control) throws -> Result) throws -> Result {
    try control.withLock { control in
      guard !control.isStopped else { throw GenerationError("the stream was stopped; make a new one") }
      return try body(&control)
    }
  }
}

// MARK: - Any thread

extension RealtimeStream {
  public var isPaused: Bool { shared.isPaused.load(ordering: .relaxed) }
  public var isStopped: Bool { shared.isStopped.load(ordering: .relaxed) }

  /// How it goes. Each number is right; they need not be of the same instant.
  public var metrics: Metrics {
    var metrics = Metrics()
    let frames = shared.frames.load(ordering: .relaxed)
    metrics.frames = frames
    metrics.meanFrameTime =
      Double(shared.frameTime.load(ordering: .relaxed)) / 1e9 / Double(max(1, frames))
    metrics.longestFrameTime = Double(shared.longestFrameTime.load(ordering: .relaxed)) / 1e9
    metrics.recoveries = shared.recoveries.load(ordering: .relaxed)
    metrics.limitedSamples = shared.limitedSamples.load(ordering: .relaxed)
    metrics.failedFrames = shared.failedFrames.load(ordering: .relaxed)
    metrics.waitingSamples = shared.ring.count
    metrics.underruns = reader.underruns.load(ordering: .relaxed)
    metrics.missingSamples = reader.missingSamples.load(ordering: .relaxed)
    metrics.refusedPulls = reader.refusedPulls.load(ordering: .relaxed)
    metrics.memory = MemoryFootprint(
      state: shared.stateBytes.load(ordering: .relaxed),
      buffers: shared.bufferBytes.load(ordering: .relaxed) + bufferBytes)
    return metrics
  }

  /// What a stream has counted since it was made.
  public struct Metrics: Sendable, Hashable {
    /// Frames of latents that were made.
    public var frames = 0
    /// Seconds that making one took, on average and at most.
    public var meanFrameTime = 0.0
    public var longestFrameTime = 0.0
    /// Bad latents that were overcome.
    public var recoveries = 0
    /// Samples that the limiter turned down.
    public var limitedSamples = 0
    /// Frames that are no music, since weights are damaged or far too large.
    public var failedFrames = 0
    /// Samples that wait in the ring.
    public var waitingSamples = 0
    /// Pulls that came short, and by how many samples together.
    public var underruns = 0
    public var missingSamples = 0
    /// Pulls that were refused because another was under way.
    public var refusedPulls = 0
    /// What the stream takes beside its package's weights.
    public var memory = MemoryFootprint()
  }
}
