import LegatoAudio

extension Session {
  /// The music as an asynchronous sequence, guarded by a limiter.
  ///
  /// A chunk is made when it is asked for, so the consumer's pace is the back-pressure. Cancelling the task ends it.
  /// - Parameter seconds: length, ending in a fade; nil never ends.
  public func stream(seconds: Double? = nil) -> AudioStream { AudioStream(session: self, seconds: seconds) }
}

/// Chunks of a ``Session``. See ``Session/stream(seconds:)``.
public struct AudioStream: AsyncSequence {
  public typealias Element = AudioChunk
  let session: Session
  let seconds: Double?

  public func makeAsyncIterator() -> Iterator { Iterator(source: ChunkSource(session, seconds: seconds)) }

  public struct Iterator: AsyncIteratorProtocol {
    let source: ChunkSource

    public mutating func next() async throws -> AudioChunk? {
      try Task.checkCancellation()
      return source.next()
    }
  }
}
