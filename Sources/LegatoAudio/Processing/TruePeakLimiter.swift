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

  /// Frames that are worked on at a time: memory is made for so many once.
  private static let block = 256
  /// Frames of the past that a new one needs: what is still to come out, and the filter's past.
  private var past: Int { lookAhead + 2 * Self.half }
  private var historyLength: Int { past + Self.block }
  /// The last input frames, oldest first, `[channels][past + block]`; between calls the first `past` hold something.
  private var history: [Float]
  /// Peak, then reduction, of each frame of the block being worked on.
  private var gains = [Float](repeating: 0, count: TruePeakLimiter.block)
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
  /// Traps where rate or channels are not above 0, or a time is negative. Processing traps where the channels are not so many.
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
    history = [Float](repeating: 0, count: channels * (ahead + 2 * Self.half + Self.block))
    wanted = SlidingMaximum(window: ahead + 1)
    held = [Float](repeating: 0, count: ahead + 1)
  }

  /// Takes planar frames `[channel][frame]` and returns as many, ``latency`` frames late.
  public mutating func process(_ chunk: [[Float]]) -> [[Float]] {
    precondition(
      chunk.count == channels && chunk.allSatisfy { $0.count == chunk[0].count },
      "TruePeakLimiter.process: \(chunk.count) channels of \(chunk.map(\.count)) frames, \(channels) wanted")
    let memory = PlanarMemory(chunk)
    process(memory.rows, frames: memory.capacity)
    return memory.arrays(0..<memory.capacity)
  }

  /// The same in place, with no allocation: a pointer for each channel, each to `frames` samples.
  public mutating func process(_ samples: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, frames: Int) {
    precondition(
      samples.count == channels, "TruePeakLimiter.process: \(samples.count) of \(channels) channels")
    var position = 0
    while position < frames {
      let count = min(Self.block, frames - position)
      takeBlock(samples, from: position, count)
      findPeaks(count)
      for frame in 0..<count {
        let peak = gains[frame]
        gains[frame] = nextReduction(max(peak, previousPeak))
        previousPeak = peak
        if gains[frame] != 0 { reducedSamples += 1 }
      }
      giveBlock(samples, from: position, count)
      position += count
    }
  }

  /// The last ``latency`` frames. The limiter is then as new, but for its counts.
  public mutating func finish() -> [[Float]] {
    let tail = process(Array(repeating: [Float](repeating: 0, count: latency), count: channels))
    reset()
    return tail
  }

  /// Forgets the stream; the counts stay.
  public mutating func reset() {
    history = [Float](repeating: 0, count: channels * historyLength)
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

  /// Puts a block behind the past.
  private mutating func takeBlock(
    _ samples: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, from position: Int, _ count: Int
  ) {
    for channel in 0..<channels {
      let start = channel * historyLength + past
      for frame in 0..<count {
        let sample = samples[channel][position + frame]
        if !sample.isFinite { nonFiniteSamples += 1 }
        history[start + frame] = sample.isFinite ? sample : 0
      }
    }
  }

  /// For each new frame, the largest true peak over the channels in the newest interval with all its taps.
  private mutating func findPeaks(_ count: Int) {
    for frame in 0..<count { gains[frame] = 0 }
    let (past, length) = (past, historyLength)
    phases.withUnsafeBufferPointer { phases in
      history.withUnsafeBufferPointer { history in
        guard let base = history.baseAddress, let coefficients = phases.baseAddress else { return }
        for channel in 0..<channels {
          let first = base + channel * length + past - TruePeakFilter.taps + 1
          for frame in 0..<count {
            gains[frame] = max(gains[frame], TruePeakFilter.peak(first + frame, coefficients))
          }
        }
      }
    }
  }

  /// Writes a block that is due, its gain reduced, and moves the past on.
  private mutating func giveBlock(
    _ samples: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, from position: Int, _ count: Int
  ) {
    let (past, length) = (past, historyLength)
    history.withUnsafeMutableBufferPointer { history in
      guard let base = history.baseAddress else { return }
      for channel in 0..<channels {
        let row = base + channel * length
        // row[half + frame] came in `latency` frames before the newest sample of that step.
        let source = row + Self.half
        let output = samples[channel] + position
        for frame in 0..<count {
          let reduction = gains[frame]
          output[frame] =
            reduction == 0
            ? source[frame] : min(max(source[frame] * (1 - reduction), -ceiling), ceiling)
        }
        row.update(from: row + count, count: past)
      }
    }
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

// MARK: - Saving

extension TruePeakLimiter {
  /// Everything that the output to come depends on, as numbers. Counts are no part of it.
  public func save() -> [Float] {
    var state: [Float] = []
    for channel in 0..<channels { state += history[channel * historyLength..<channel * historyLength + past] }
    return state + [previousPeak, released, Float(heldIndex)] + held + wanted.save()
  }

  /// Puts a saved state back; false, and nothing done, where it belongs to a limiter of other sizes or is damaged.
  public mutating func restore(_ state: [Float]) -> Bool {
    let start = channels * past
    let heldStart = start + 3
    let wantedStart = heldStart + held.count
    guard state.count >= wantedStart, state.allSatisfy(\.isFinite),
      let index = Int(exactly: state[start + 2]),
      held.indices.contains(index), wanted.restore(Array(state[wantedStart...]))
    else { return false }
    for channel in 0..<channels {
      history.replaceSubrange(
        channel * historyLength..<channel * historyLength + past,
        with: state[channel * past..<(channel + 1) * past])
    }
    (previousPeak, released, heldIndex) = (state[start], state[start + 1], index)
    held = Array(state[heldStart..<wantedStart])
    heldNonZero = held.count { $0 != 0 }
    return true
  }
}
