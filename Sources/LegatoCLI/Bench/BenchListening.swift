import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoModels

/// What a listener gets from a ring of some depth: how late a change is heard, and how often music is missing.
struct BenchListening: Encodable {
  /// Frames of latents that the engine is ahead at most.
  var depth: Int
  /// Seconds from a change of options until it is heard, at most: what the ring, the codec's delay and the limiter's come to.
  var latency: Double
  /// Blocks that came short, of how many, and the samples that were missing.
  var underruns: Int
  var blocks: Int
  var missing: Int

  enum CodingKeys: String, CodingKey {
    case depth, latency, underruns, blocks
    case missing = "missing_samples"
  }

  static let depths = [2, 3, 4, 8, 16]
  /// Samples that an audio callback asks for at a time.
  private static let block = 512

  /// Plays at each depth in real time, as an audio callback would: a block whenever it is due.
  static func measure(
    _ package: ModelPackage, options: GenerationOptions, threads: Int, seconds: Double
  ) throws -> [BenchListening] {
    try depths.map { depth in
      let stream = try RealtimeStream(package, options: options, depth: depth, threads: threads)
      defer { stream.stop() }
      try stream.start()
      _ = stream.waitUntilFull()
      let memory = PlanarMemory(channels: stream.channels, capacity: block)
      let size = min(block, stream.largestBlock)
      let blocks = max(1, Int(seconds * Double(stream.sampleRate)) / size)
      let clock = ContinuousClock()
      let start = clock.now
      for index in 0..<blocks {
        _ = try stream.pull(into: memory.rows, frames: size)
        let due = start + .seconds(Double((index + 1) * size) / Double(stream.sampleRate))
        let wait = clock.now.duration(to: due) / .seconds(1)
        if wait > 0 { Thread.sleep(forTimeInterval: wait) }
      }
      let metrics = stream.metrics
      let limiter = TruePeakLimiter(sampleRate: stream.sampleRate, channels: stream.channels).latency
      let late = depth * stream.samplesPerFrame + package.codec.codec.delay + limiter
      return BenchListening(
        depth: depth, latency: Double(late) / Double(stream.sampleRate), underruns: metrics.underruns,
        blocks: blocks, missing: metrics.missingSamples)
    }
  }
}
