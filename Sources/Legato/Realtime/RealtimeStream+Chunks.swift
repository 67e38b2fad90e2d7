import LegatoAudio

extension RealtimeStream {
  /// The music as an asynchronous sequence of planar samples, `frames` of each channel a chunk; nil for a frame of latents.
  ///
  /// It takes the place of the audio thread: nobody else may pull meanwhile. The engine waits for whoever iterates, as for
  /// any reader; while the stream is paused, the sequence waits. It ends when the stream is stopped; cancelling the task
  /// throws `CancellationError` and leaves the stream as it is. Chunks are arrays, so this allocates, and
  /// waiting is the task's: it is not for an audio callback.
  /// Throws ``GenerationError`` for chunks that the ring cannot hold.
  public func chunks(of frames: Int? = nil) throws -> Chunks {
    let frames = frames ?? samplesPerFrame
    guard (1...largestBlock).contains(frames) else {
      throw GenerationError(
        "chunks of \(frames) samples are asked for; with a depth of \(depth) they may have 1 to \(largestBlock)"
      )
    }
    return Chunks(stream: self, frames: frames)
  }

  /// See ``chunks(of:)``.
  public struct Chunks: AsyncSequence, Sendable {
    public typealias Element = [[Float]]
    let stream: RealtimeStream
    let frames: Int

    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream, frames: frames) }

    public struct Iterator: AsyncIteratorProtocol {
      let stream: RealtimeStream
      let frames: Int

      public mutating func next() async throws -> [[Float]]? {
        while true {
          try Task.checkCancellation()
          if stream.isStopped { return nil }
          // What does not wait yet is waited for: nothing is missing, so nothing is counted.
          if !stream.isPaused, stream.metrics.waitingSamples >= frames {
            let memory = PlanarMemory(channels: stream.channels, capacity: frames)
            let got: Int
            do { got = try stream.pull(into: memory.rows, frames: frames) } catch PullError.stopped {
              return nil
            }
            if got > 0 { return memory.arrays(0..<got) }
          }
          try await Task.sleep(nanoseconds: 5_000_000)
        }
      }
    }
  }
}
