/// Sound in memory: planar samples, one array a channel, full scale at ±1.
public struct AudioBuffer: Sendable, Equatable {
  /// Frames per second, in Hz.
  public var sampleRate: Int
  /// `[channel][frame]`, all channels of one length.
  public var channels: [[Float]]

  /// - Parameter channels: `[channel][frame]`; all channels must have the same length. Traps where they have not, or the rate is not above 0.
  public init(sampleRate: Int, channels: [[Float]]) {
    precondition(sampleRate > 0, "AudioBuffer: sampleRate is \(sampleRate), it must be positive")
    precondition(
      channels.allSatisfy { $0.count == channels[0].count },
      "AudioBuffer: channels differ in length: \(channels.map(\.count))")
    self.sampleRate = sampleRate
    self.channels = channels
  }

  /// Samples per channel.
  public var frameCount: Int { channels.first?.count ?? 0 }
  /// Number of channels.
  public var channelCount: Int { channels.count }
  /// Length in seconds.
  public var duration: Double { Double(frameCount) / Double(sampleRate) }

  /// Largest magnitude over all channels; 0 when empty.
  public var peak: Float {
    var peak: Float = 0
    for channel in channels { for sample in channel { peak = max(peak, abs(sample)) } }
    return peak
  }

  /// Root mean square over all channels; 0 when empty.
  public var rms: Float {
    var sum = 0.0
    for channel in channels { for sample in channel { sum += Double(sample) * Double(sample) } }
    let count = frameCount * channelCount
    return count == 0 ? 0 : Float((sum / Double(count)).squareRoot())
  }

  /// The frames of `range`, which must lie inside the buffer: traps where it does not.
  public func slice(frames range: Range<Int>) -> AudioBuffer {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= frameCount,
      "AudioBuffer.slice: \(range) is outside 0..<\(frameCount)")
    return AudioBuffer(sampleRate: sampleRate, channels: channels.map { Array($0[range]) })
  }

  /// The same sound in `count` channels.
  ///
  /// Mono is copied to every channel. To mono is the mean. Six channels to stereo follows the order and gains
  /// of ITU-R BS.775 (front, centre and surround at −3 dB, no LFE), scaled so that it cannot clip; any other
  /// count to stereo
  /// takes the mean of the even channels left and of the odd ones right. Otherwise the first channels are
  /// kept and missing ones are silent. Traps where `count` is not above 0.
  public func converted(toChannels count: Int) -> AudioBuffer {
    precondition(count > 0, "AudioBuffer.converted: \(count) channels")
    if count == channelCount { return self }
    var result: [[Float]]
    if channelCount == 0 {
      result = Array(repeating: [], count: count)
    } else if channelCount == 1 {
      result = Array(repeating: channels[0], count: count)
    } else if count == 1 {
      result = [mixed(channels.indices.map { ($0, 1 / Float(channelCount)) })]
    } else if count == 2, channelCount == 6 {
      let minus3dB = Float(0.5).squareRoot()
      let scale = 1 / (1 + 2 * minus3dB)
      let side = minus3dB * scale
      result = [
        mixed([(0, scale), (2, side), (4, side)]), mixed([(1, scale), (2, side), (5, side)]),
      ]
    } else if count == 2 {
      let even = channels.indices.filter { $0 % 2 == 0 }
      let odd = channels.indices.filter { $0 % 2 == 1 }
      result = [
        mixed(even.map { ($0, 1 / Float(even.count)) }), mixed(odd.map { ($0, 1 / Float(odd.count)) }),
      ]
    } else {
      result = Array(channels.prefix(count))
      while result.count < count { result.append([Float](repeating: 0, count: frameCount)) }
    }
    return AudioBuffer(sampleRate: sampleRate, channels: result)
  }

  private func mixed(_ gains: [(channel: Int, gain: Float)]) -> [Float] {
    var sum = [Float](repeating: 0, count: frameCount)
    for (channel, gain) in gains {
      let source = channels[channel]
      for frame in sum.indices { sum[frame] += gain * source[frame] }
    }
    return sum
  }
}
