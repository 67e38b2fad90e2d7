import LegatoAudio

/// A session's chunks made fit to be heard: limited to a true peak of −1 dBFS, faded at both ends, cut to length.
public final class ChunkSource {
  private let session: Session
  private var limiter: TruePeakLimiter
  private var fade: Fade
  /// Samples still to be given, nil for an endless source.
  private var remaining: Int?
  /// Samples of the limiter's latency still to be dropped from its start.
  private var lead: Int

  /// - Parameter seconds: length, ending in a fade of up to two seconds; nil never ends.
  public init(_ session: Session, seconds: Double? = nil) {
    self.session = session
    limiter = TruePeakLimiter(sampleRate: session.sampleRate, channels: session.channels)
    lead = limiter.latency
    let total = seconds.map { Int(($0 * Double(session.sampleRate)).rounded()) }
    remaining = total
    let out = total.map { min(2 * session.sampleRate, $0 / 4) } ?? 0
    fade = Fade(fadeIn: session.sampleRate / 200, fadeOut: out, totalFrames: total)
  }

  /// Samples that the limiter has turned down so far.
  public var limitedSamples: Int { limiter.reducedSamples }

  /// The next chunk, or nil at the end.
  public func next() -> AudioChunk? {
    if remaining == 0 { return nil }
    while true {
      var chunk = session.next()
      chunk.channels = limiter.process(chunk.channels)
      let dropped = min(lead, chunk.channels[0].count)
      lead -= dropped
      let available = chunk.channels[0].count - dropped
      let length = min(available, remaining ?? available)
      if length == 0 { continue }
      chunk.channels = fade.process(chunk.channels.map { Array($0[dropped..<dropped + length]) })
      remaining = remaining.map { $0 - length }
      return chunk
    }
  }
}
