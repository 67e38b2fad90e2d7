import LegatoAudio
import LegatoTensor

/// Measures a stream of sound stretch by stretch, as it is made or read: memory holds one stretch of samples.
public final class StretchMeter {
  private let name: String
  private let analyser: LogMelAnalyser
  private let engine: CPUEngine
  private let resampler: Resampler?
  private let framesPerStretch: Int?
  /// Samples of the stretch that is being filled, `[channel][sample]`.
  private var samples: [[Float]]
  private var measures: [MusicMeasure] = []

  /// - Parameters:
  ///   - name: of the sound, for reports.
  ///   - sampleRate: Hz of what is given.
  ///   - stretch: seconds; nil measures nothing but the log-mel frames of the whole.
  /// - Throws: an audio error where sound has to be resampled and cannot be.
  public init(name: String, sampleRate: Int, channels: Int, stretch: Double?, engine: CPUEngine) throws {
    self.name = name
    self.engine = engine
    analyser = LogMelAnalyser(engine: engine)
    framesPerStretch = stretch.map { max(1, Int(($0 * LogMelAnalyser.frameRate).rounded())) }
    resampler =
      sampleRate == LogMelAnalyser.sampleRate
      ? nil : try Resampler(from: sampleRate, to: LogMelAnalyser.sampleRate, channels: channels)
    samples = Array(repeating: [], count: channels)
  }

  /// Takes planar samples `[channel][sample]`.
  public func append(_ chunk: [[Float]]) throws { try measure(resampler?.process(chunk) ?? chunk) }

  private func measure(_ chunk: [[Float]]) throws {
    let sound = AudioBuffer(sampleRate: LogMelAnalyser.sampleRate, channels: chunk)
    guard sound.frameCount > 0 else { return }
    analyser.append(sound.converted(toChannels: 1).channels[0])
    guard let framesPerStretch else { return }
    for channel in samples.indices { samples[channel] += chunk[channel] }
    let length = framesPerStretch * LogMelAnalyser.samplesPerFrame
    while samples[0].count >= length {
      let stretch = AudioBuffer(
        sampleRate: LogMelAnalyser.sampleRate, channels: samples.map { Array($0[..<length]) })
      measures.append(try MusicMeasure(stretch, engine: engine))
      for channel in samples.indices { samples[channel].removeFirst(length) }
    }
  }

  /// What was measured: whole stretches, or all frames where there are no stretches.
  public func finish() throws -> MeasuredSound {
    if let resampler { try measure(resampler.finish()) }
    let whole = framesPerStretch.map { measures.count * $0 * LogMelAnalyser.bands } ?? analyser.frames.count
    return MeasuredSound(
      name: name, framesPerStretch: framesPerStretch ?? max(1, whole / LogMelAnalyser.bands),
      measures: measures, frames: Array(analyser.frames.prefix(whole)))
  }

  /// Measures a sound file in blocks.
  ///
  /// - Parameter seconds: the part to be measured, from here on and so long; nil measures the whole.
  /// - Throws: an audio error for the file; ``EvaluationError``.
  public static func measure(
    file: String, stretch: Double? = nil, from: Double = 0, seconds: Double? = nil, engine: CPUEngine
  ) throws -> MeasuredSound {
    let reader = try AudioFileReader(path: file)
    let rate = Double(reader.info.sampleRate)
    if from > 0 { try reader.seek(toFrame: Int(from * rate)) }
    var left = seconds.map { Int($0 * rate) } ?? .max
    let meter = try StretchMeter(
      name: file, sampleRate: reader.info.sampleRate, channels: reader.info.channels, stretch: stretch,
      engine: engine)
    while left > 0, let block = try reader.read(maxFrames: min(left, 1 << 16)) {
      try meter.append(block.channels)
      left -= block.frameCount
    }
    return try meter.finish()
  }
}

/// A sound in stretches: figures and log-mel frames.
public struct MeasuredSound: Sendable {
  public let name: String
  public let framesPerStretch: Int
  /// One a stretch; empty where there are no stretches.
  public let measures: [MusicMeasure]
  /// Of ``LogMelAnalyser``, `[frames, bands]`.
  public let frames: [Float]

  public var stretches: Int { measures.count }
  public var seconds: Double { Double(frames.count / LogMelAnalyser.bands) / LogMelAnalyser.frameRate }

  /// Frames of a stretch.
  public func frames(of stretch: Int) -> ArraySlice<Float> {
    let size = framesPerStretch * LogMelAnalyser.bands
    return frames[stretch * size..<(stretch + 1) * size]
  }
}
