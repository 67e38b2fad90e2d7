#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Keeps the true peak of a stream under a ceiling, with a look-ahead gain that all channels share.
///
/// Every output sample comes ``latency`` frames late. Where nothing near exceeds the ceiling the output is
/// the
/// input, bit for bit. State carries over from chunk to chunk, so streaming equals one call on the whole.
/// The peak is estimated at four times the sample rate; the gain falls along a raised cosine before the peak,
/// and recovers exponentially after it.
public struct TruePeakLimiter: Sendable {
  /// Number of channels.
  public let channels: Int
  /// Largest true peak let through, linear.
  public let ceiling: Float
  /// Frames by which the output is late.
  public let latency: Int
  /// Frames that came out with their gain reduced, so far.
  public private(set) var reducedSamples = 0
  /// Samples that came in as NaN or infinite and went out as silence.
  public private(set) var nonFiniteSamples = 0

  private static let half = TruePeakFilter.taps / 2
  private let lookAhead: Int
  private let release: Float
  /// Raised-cosine weights that sum to 1, `lookAhead + 1` of them.
  private let smoothing: [Float]
  private let phases = TruePeakFilter.phases.flatMap { $0 }

  /// The last input frames of each channel, oldest first: what is still to come out, and the filter's past.
  private var history: [[Float]]
  /// Peak of the interval before the newest one, since a peak between two samples concerns both.
  private var previousPeak: Float = 0
  /// Reductions wanted by the last `lookAhead + 1` frames, and how they are held and smoothed.
  private var wanted: SlidingMaximum
  private var released: Float = 0
  private var held: [Float]
  private var heldIndex = 0
  private var heldNonZero = 0

  /// - Parameters:
  ///   - sampleRate: Hz.
  ///   - channels: number of channels.
  ///   - ceilingDBTP: largest true peak, dB relative to full scale.
  ///   - lookAhead: seconds over which the gain falls before a peak.
  ///   - release: seconds in which the reduction falls to 1/e after it.
  public init(
    sampleRate: Int, channels: Int, ceilingDBTP: Double = -1, lookAhead: Double = 0.0015,
    release: Double = 0.08
  ) {
    precondition(sampleRate > 0 && channels > 0, "TruePeakLimiter: \(sampleRate) Hz, \(channels) channels")
    precondition(lookAhead >= 0 && release >= 0, "TruePeakLimiter: times are \(lookAhead) and \(release)")
    self.channels = channels
    ceiling = Float(pow(10, ceilingDBTP / 20))
    let ahead = max(1, Int((lookAhead * Double(sampleRate)).rounded()))
    self.lookAhead = ahead
    latency = ahead + Self.half
    self.release = release > 0 ? Float(exp(-1 / (release * Double(sampleRate)))) : 0
    let window = (0...ahead).map { 1 - cos(2 * Double.pi * (Double($0) + 1) / Double(ahead + 2)) }
    let sum = window.reduce(0, +)
    smoothing = window.map { Float($0 / sum) }
    history = Array(repeating: [Float](repeating: 0, count: ahead + 2 * Self.half), count: channels)
    wanted = SlidingMaximum(window: ahead + 1)
    held = [Float](repeating: 0, count: ahead + 1)
  }

  /// Takes planar frames `[channel][frame]` and returns as many, ``latency`` frames late.
  public mutating func process(_ chunk: [[Float]]) -> [[Float]] {
    precondition(
      chunk.count == channels && chunk.allSatisfy { $0.count == chunk[0].count },
      "TruePeakLimiter.process: \(chunk.count) channels of \(chunk.map(\.count)) frames, \(channels) wanted")
    let frames = chunk[0].count
    for channel in 0..<channels { appendFinite(chunk[channel], to: channel) }
    let peaks = chunkPeaks(frames)
    var output = Array(repeating: [Float](repeating: 0, count: frames), count: channels)
    for frame in 0..<frames {
      let reduction = nextReduction(max(peaks[frame], previousPeak))
      previousPeak = peaks[frame]
      // history[Self.half + frame] came in `latency` frames before the newest sample of this step.
      let source = Self.half + frame
      if reduction == 0 {
        for channel in 0..<channels { output[channel][frame] = history[channel][source] }
      } else {
        reducedSamples += 1
        for channel in 0..<channels {
          let limited = history[channel][source] * (1 - reduction)
          output[channel][frame] = min(max(limited, -ceiling), ceiling)
        }
      }
    }
    for channel in 0..<channels { history[channel].removeFirst(frames) }
    return output
  }

  /// The last ``latency`` frames. The limiter is then as new, but for its counts.
  public mutating func finish() -> [[Float]] {
    let tail = process(Array(repeating: [Float](repeating: 0, count: latency), count: channels))
    reset()
    return tail
  }

  /// Forgets the stream; the counts stay.
  public mutating func reset() {
    for channel in 0..<channels {
      history[channel] = [Float](repeating: 0, count: lookAhead + 2 * Self.half)
    }
    previousPeak = 0
    wanted = SlidingMaximum(window: lookAhead + 1)
    released = 0
    held = [Float](repeating: 0, count: lookAhead + 1)
    heldIndex = 0
    heldNonZero = 0
  }

  /// Limits a whole signal: as many frames out as in, in their place.
  public mutating func limit(_ channels: [[Float]]) -> [[Float]] {
    let body = process(channels)
    let tail = finish()
    return zip(body, tail).map { Array(($0 + $1).dropFirst(latency)) }
  }

  private mutating func appendFinite(_ samples: [Float], to channel: Int) {
    for sample in samples {
      if sample.isFinite {
        history[channel].append(sample)
      } else {
        nonFiniteSamples += 1
        history[channel].append(0)
      }
    }
  }

  /// For each new frame, the largest true peak over the channels in the newest interval with all its taps.
  private func chunkPeaks(_ frames: Int) -> [Float] {
    var peaks = [Float](repeating: 0, count: frames)
    phases.withUnsafeBufferPointer { phases in
      for channel in history {
        channel.withUnsafeBufferPointer { samples in
          guard let base = samples.baseAddress, let coefficients = phases.baseAddress else { return }
          let first = samples.count - frames - TruePeakFilter.taps + 1
          for frame in 0..<frames {
            peaks[frame] = max(peaks[frame], TruePeakFilter.peak(base + first + frame, coefficients))
          }
        }
      }
    }
    return peaks
  }

  /// One step of the gain: hold over the look-ahead, recover, smooth.
  private mutating func nextReduction(_ peak: Float) -> Float {
    let need = wanted.push(peak > ceiling ? 1 - ceiling / peak : 0)
    released = max(need, released * release)
    // Below −100 dB of change the recovery is over: transparent again, exactly.
    if released < 1e-5 { released = 0 }
    if held[heldIndex] != 0 { heldNonZero -= 1 }
    held[heldIndex] = released
    if released != 0 { heldNonZero += 1 }
    heldIndex = heldIndex + 1 == held.count ? 0 : heldIndex + 1
    if heldNonZero == 0 { return 0 }
    var sum: Float = 0
    var index = heldIndex
    for weight in smoothing {
      sum += weight * held[index]
      index = index + 1 == held.count ? 0 : index + 1
    }
    return sum
  }
}
