import LegatoCodecs
import LegatoModels
import LegatoTensor
import Synchronization

/// Sessions that make their frames together, so that the weights are read once for all of them.
///
/// ```swift
/// let group = try SessionGroup(package, capacity: 8)
/// let players = try (0..<8).map { try group.join(package.options(seed: $0)) }
/// while playing { for (player, chunk) in zip(players, group.next(players)) { … } }
/// ```
/// Every session plays what it would play alone, byte for byte, whoever joins, leaves or pauses beside it. A session leaves by
/// being released, on any thread. A group and its sessions belong to one thread or task at a time: a second one that calls any of
/// them meanwhile ends the process with a message that says so.
public final class SessionGroup {
  public let package: ModelPackage
  /// Most sessions at a time.
  public let capacity: Int

  let engine: CPUEngine
  let runner: ModelRunner
  let decoder: any StreamingDecoder
  let decoderState: StreamState
  /// Latents of the frame that is being made, `[B, dimension]`.
  private let latents: UnsafeMutableBufferPointer<Float>
  /// Whether a call is under way, of the group or of one of its sessions.
  private let inUse = Atomic<Bool>(false)

  /// Most sessions that a group may have.
  public static let capacities = 1...1024

  /// - Parameters:
  ///   - capacity: held within ``capacities``; a place that nobody takes costs no memory.
  ///   - threads: the group's thread budget, the caller's thread included; nil for one a core, at most 4.
  public init(_ package: ModelPackage, capacity: Int = 16, threads: Int? = nil) {
    self.package = package
    self.capacity = min(max(capacity, Self.capacities.lowerBound), Self.capacities.upperBound)
    engine = CPUEngine(threads: threads)
    runner = ModelRunner(model: package.model, engine: engine, slots: self.capacity)
    decoderState = StreamState(engine: engine, slots: self.capacity)
    decoder = package.codec.codec.makeDecoder(engine: engine, stream: decoderState)
    latents = .allocate(capacity: self.capacity * package.codec.codec.latentDimension)
    latents.initialize(repeating: 0)
  }

  deinit { latents.deallocate() }

  public var threads: Int { engine.threads }

  /// A new session of the group. Throws ``GenerationError`` where all places are taken.
  /// - Parameter options: nil for ``ModelPackage/options(seed:)`` of seed 0.
  public func join(_ options: GenerationOptions? = nil) throws -> Session {
    try exclusively {
      guard let slot = runner.takeSlot() else {
        throw GenerationError(
          "the group has room for \(capacity) sessions, and so many play; release one, or make a larger group"
        )
      }
      return Session(group: self, slot: slot, options: options ?? package.options())
    }
  }

  /// The next chunk of each of these sessions: the others pause.
  ///
  /// A session's first chunk is shorter by the codec's delay; of codes, the first are empty. Traps where a session is of another group, or is there twice.
  public func next(_ sessions: [Session]) -> [AudioChunk] {
    guard !sessions.isEmpty else { return [] }
    precondition(sessions.allSatisfy { $0.group === self }, "SessionGroup.next: a session of another group")
    precondition(
      Set(sessions.map(\.slot)).count == sessions.count, "SessionGroup.next: a session is there twice")
    return exclusively {
      let positions = sessions.map(\.latents.position)
      let samples = frame(of: sessions.map(\.latents), slots: sessions.map { Int32($0.slot) })
      let size = samples.count / sessions.count
      return sessions.enumerated().map { row, session in
        session.takeFrame(samples.extracting(row * size..<(row + 1) * size), of: positions[row])
      }
    }
  }

  /// Two threads in one group would mix its state: a programmer's mistake, which ends here and not in noise.
  func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard inUse.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      fatalError(
        "a Session was called while another thread was using it or one of its group; give each thread a session or group of its own, or use a RealtimeStream"
      )
    }
    defer { inUse.store(false, ordering: .releasing) }
    return try body()
  }

  /// Draws and decodes a frame of each stream: samples `[B, channels, samplesPerFrame]`, valid until the next call.
  func frame(of streams: [LatentStream], slots: [Int32]) -> UnsafeBufferPointer<Float> {
    for stream in streams { stream.prepare() }
    runner.advance(streams.map(\.core))
    let dimension = package.codec.codec.latentDimension
    for (row, stream) in streams.enumerated() {
      _ = latents.extracting(row * dimension..<(row + 1) * dimension).update(from: stream.finish())
    }
    return decoder.step(
      UnsafeBufferPointer(latents.extracting(0..<streams.count * dimension)), slots: slots)
  }
}
