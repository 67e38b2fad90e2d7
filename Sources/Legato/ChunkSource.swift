import LegatoAudio
import LegatoCodecs
import LegatoModels

/// A session's chunks made fit to be heard: limited to a true peak of −1 dBFS, faded at both ends, cut to length.
public final class ChunkSource {
  let session: Session
  private var limiter: TruePeakLimiter
  private var fade: Fade
  /// Samples still to be given, nil for an endless source.
  private var remaining: Int?
  /// Samples of the limiter's latency still to be dropped from its start.
  private var lead: Int
  private let memory: PlanarMemory

  /// - Parameter seconds: length, ending in a fade of up to two seconds; nil, and what is longer than anybody waits,
  ///   never ends; what is not above 0 gives nothing.
  public init(_ session: Session, seconds: Double? = nil) {
    self.session = session
    limiter = TruePeakLimiter(sampleRate: session.sampleRate, channels: session.channels)
    lead = limiter.latency
    let total = seconds.flatMap { seconds -> Int? in
      let samples = (seconds * Double(session.sampleRate)).rounded()
      return samples < 1e18 ? Int(max(samples, 0)) : samples.isNaN ? 0 : nil
    }
    remaining = total
    let out = total.map { min(2 * session.sampleRate, $0 / 4) } ?? 0
    fade = Fade(fadeIn: session.sampleRate / 200, fadeOut: out, totalFrames: total)
    memory = PlanarMemory(channels: session.channels, capacity: session.samplesPerFrame)
  }

  /// Samples that the limiter has turned down so far.
  public var limitedSamples: Int { limiter.reducedSamples }

  /// Frames that are no music, since no latent could be drawn or the codec gave samples that are no numbers: weights are damaged,
  /// or far too large.
  public private(set) var failedFrames = 0

  /// The next chunk, or nil at the end.
  public func next() -> AudioChunk? {
    let length = render(into: memory.rows)
    guard length > 0 else { return nil }
    return AudioChunk(
      channels: memory.arrays(0..<length), sampleRate: session.sampleRate, frame: session.lastFrame)
  }

  /// What ``next()`` gives, into memory of the caller's, with no allocation and no lock.
  ///
  /// - Parameter output: a pointer for each channel, each to room for ``Session/samplesPerFrame`` samples.
  /// - Returns: how many samples were written to each; 0 at the end. Traps where the pointers are not as many as the channels.
  public func render(into output: UnsafeBufferPointer<UnsafeMutablePointer<Float>>) -> Int {
    if remaining == 0 { return 0 }
    while true {
      let before = (session.latents.failures, limiter.nonFiniteSamples)
      let made = session.render(into: output)
      limiter.process(output, frames: made)
      if before != (session.latents.failures, limiter.nonFiniteSamples) { failedFrames += 1 }
      let dropped = min(lead, made)
      lead -= dropped
      let length = min(made - dropped, remaining ?? made)
      if length == 0 { continue }
      if dropped > 0 { for row in output { row.update(from: row + dropped, count: length) } }
      fade.process(output, frames: length)
      if let left = remaining { remaining = left - length }
      return length
    }
  }

  /// Bytes of the memory that samples pass through.
  var bufferByteCount: Int { memory.byteCount }

  /// State of an endless source, its session's included.
  struct Snapshot: Sendable {
    var session: Session.Snapshot
    var limiter: [Float]
    var faded: Int
    var lead: Int
  }

  func save() -> Snapshot {
    Snapshot(session: session.save(), limiter: limiter.save(), faded: fade.position, lead: lead)
  }

  /// Throws ``GenerationError`` where the snapshot belongs to another package; nothing is changed then.
  func restore(_ snapshot: Snapshot) throws {
    var limiter = limiter
    guard limiter.restore(snapshot.limiter), snapshot.lead <= limiter.latency,
      snapshot.session.pending <= session.leadSamples, session.latents.accepts(snapshot.session.latents)
    else { throw GenerationError("the saved state is damaged, or belongs to another package") }
    try session.restore(snapshot.session)
    self.limiter = limiter
    (fade.position, lead) = (snapshot.faded, snapshot.lead)
  }
}
