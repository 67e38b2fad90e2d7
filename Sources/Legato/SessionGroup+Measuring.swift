import LegatoCodecs
import LegatoModels
import LegatoTensor

/// Nanoseconds that the stages of a frame took.
package struct FrameTimes: Sendable {
  package var backbone: UInt64 = 0
  package var sampler: UInt64 = 0
  package var codec: UInt64 = 0
}

extension SessionGroup {
  /// Evaluations whose modulations are computed at once, of all streams together.
  package static var mostModulations: Int { NetworkDrawing.mostRows }

  /// Makes a frame of each of these sessions and says how long each stage took; what is played is the same as with ``next(_:)``.
  package func measuredFrame(_ sessions: [Session]) -> FrameTimes {
    let clock = ContinuousClock()
    func nanoseconds(_ duration: Duration) -> UInt64 {
      UInt64(
        max(0, duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000))
    }
    let streams = sessions.map(\.latents)
    let cores = streams.map(\.core)
    for stream in streams { stream.prepare() }
    let start = clock.now
    let conditions = runner.think(cores)
    let thought = clock.now
    runner.draw(cores, conditions: conditions)
    let drawn = clock.now
    let latents = streams.flatMap { Array($0.finish()) }
    let slots = sessions.map { Int32($0.slot) }
    let finished = clock.now
    _ = latents.withUnsafeBufferPointer { decoder.step($0, slots: slots) }
    return FrameTimes(
      backbone: nanoseconds(start.duration(to: thought)), sampler: nanoseconds(thought.duration(to: drawn)),
      codec: nanoseconds(finished.duration(to: clock.now)))
  }

  /// Memory that empties the caches when it is read.
  package func cacheSweep(byteCount: Int) -> ReadTest { ReadTest(engine: engine, byteCount: byteCount) }

  /// Lets a session's backbone read `count` latents at once, as a prompt does.
  package func readLatents(_ count: Int, session: Session) throws {
    let values = RandomStream(seed: 1, stream: 0).normal(count * session.latents.dimension)
    try values.withUnsafeBufferPointer { try session.latents.feed($0) }
  }

  package var instructionSet: String { engine.instructionSet }
}
