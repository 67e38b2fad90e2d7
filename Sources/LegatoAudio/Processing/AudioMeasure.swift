#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Simple figures that say whether a recording or a generated piece is sound at all.
public struct AudioMeasure: Sendable, Equatable {
  /// Largest magnitude, linear.
  public var peak: Float
  /// Largest magnitude between samples too, dB relative to full scale (four-fold interpolation, ITU-R
  /// BS.1770-4);
  /// −infinity for silence.
  public var truePeakDBTP: Double
  /// Root mean square over all channels, dB relative to full scale; −infinity for silence.
  public var rmsDBFS: Double
  /// Share of 50 ms windows, over all channels together, whose RMS is under −60 dBFS; 0...1.
  public var silenceShare: Double
  /// Samples at or beyond 16-bit full scale, `|x| ≥ 32767/32768`.
  public var clippedSamples: Int
  /// Power-weighted mean frequency in Hz, of the mono mix; 0 for silence.
  public var spectralCentroid: Double
  /// Seconds of silence (50 ms windows under −60 dBFS) at the end.
  public var silenceAtEnd: Double
  /// Mean of all samples.
  public var dcOffset: Double

  /// Measures `buffer`.
  public init(_ buffer: AudioBuffer) {
    peak = buffer.peak
    let truePeak = buffer.channels.map(TruePeakFilter.peak(of:)).max() ?? 0
    truePeakDBTP = Self.decibels(Double(truePeak))
    rmsDBFS = Self.decibels(Double(buffer.rms))
    clippedSamples = buffer.channels.reduce(0) { sum, channel in
      sum + channel.reduce(0) { $0 + (abs($1) >= 32767 / 32768 ? 1 : 0) }
    }
    spectralCentroid = Self.centroid(buffer)
    let count = buffer.frameCount * buffer.channelCount
    let sum = buffer.channels.reduce(0.0) { $0 + $1.reduce(0.0) { $0 + Double($1) } }
    dcOffset = count == 0 ? 0 : sum / Double(count)
    let silent = Self.silentWindows(buffer)
    silenceShare = Self.share(silent)
    let quiet = silent.reversed().prefix { $0 }.count
    silenceAtEnd =
      quiet == silent.count
      ? buffer.duration : Double(quiet * Self.window(buffer)) / Double(buffer.sampleRate)
  }

  /// `20 · log10(amplitude)`.
  public static func decibels(_ amplitude: Double) -> Double {
    amplitude > 0 ? 20 * log10(amplitude) : -.infinity
  }

  /// ``silenceShare`` alone.
  public static func silenceShare(_ buffer: AudioBuffer) -> Double { share(silentWindows(buffer)) }

  private static func share(_ silent: [Bool]) -> Double {
    silent.isEmpty ? 0 : Double(silent.count { $0 }) / Double(silent.count)
  }

  private static func window(_ buffer: AudioBuffer) -> Int { max(1, buffer.sampleRate / 20) }

  /// One entry per whole 50 ms window, counted from the end; a shorter sound is one window.
  private static func silentWindows(_ buffer: AudioBuffer) -> [Bool] {
    let frames = buffer.frameCount
    if frames == 0 { return [] }
    let window = min(frames, window(buffer))
    let threshold = 1e-6 * Double(window * buffer.channelCount)
    return stride(from: frames % window, to: frames, by: window).map { start in
      var sum = 0.0
      for channel in buffer.channels {
        channel.withUnsafeBufferPointer {
          for sample in $0[start..<start + window] { sum += Double(sample) * Double(sample) }
        }
      }
      return sum < threshold
    }
  }

  private static func centroid(_ buffer: AudioBuffer) -> Double {
    guard buffer.frameCount > 0 else { return 0 }
    let mono = buffer.converted(toChannels: 1).channels[0]
    let transform = FourierTransform()
    var weighted = 0.0
    var total = 0.0
    for start in stride(from: 0, to: mono.count, by: transform.size) {
      for (bin, power) in transform.power(mono, start: start).enumerated() {
        weighted += Double(power) * Double(bin)
        total += Double(power)
      }
    }
    return total > 0 ? weighted / total * Double(buffer.sampleRate) / Double(transform.size) : 0
  }
}
