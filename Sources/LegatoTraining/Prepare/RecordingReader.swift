import LegatoAudio

/// A recording read in blocks at a codec's rate and channels.
final class RecordingReader {
  /// Largest magnitude read so far.
  private(set) var peak: Float = 0
  private let reader: AudioFileReader
  private let channels: Int
  private let resampler: Resampler?
  private let blockFrames: Int
  private var ended = false

  /// Rates outside are no sound, or would make a block into gigabytes.
  static let rates = 2000...1_536_000

  /// Throws ``AudioError``, or ``PrepareError/Kind/unusable`` for a rate that is no sound's.
  init(path: String, sampleRate: Int, channels: Int) throws {
    reader = try AudioFileReader(path: path)
    self.channels = channels
    let info = reader.info
    guard Self.rates.contains(info.sampleRate) else {
      throw PrepareError(
        .unusable, path, "its sample rate is \(info.sampleRate) Hz", "Export it at a usual rate.")
    }
    resampler =
      info.sampleRate == sampleRate
      ? nil : try Resampler(from: info.sampleRate, to: sampleRate, channels: min(channels, info.channels))
    blockFrames = max(1024, 65_536 / max(1, info.channels))
  }

  var info: AudioFileInfo { reader.info }

  /// Begins `seconds` into the recording; call before reading.
  func seek(seconds: Double) throws {
    try reader.seek(toFrame: Int(seconds * Double(reader.info.sampleRate)))
  }

  /// The next planar block `[channel][sample]`, possibly empty; nil at the end.
  func next() throws -> [[Float]]? {
    if ended { return nil }
    guard var block = try reader.read(maxFrames: blockFrames) else {
      ended = true
      guard let resampler else { return nil }
      return spread(try resampler.finish())
    }
    peak = max(peak, block.peak)
    // Mixing down first and spreading last keeps the resampler's work small.
    if block.channelCount > channels { block = block.converted(toChannels: channels) }
    return spread(try resampler?.process(block.channels) ?? block.channels)
  }

  private func spread(_ planes: [[Float]]) -> [[Float]] {
    guard planes.count != channels else { return planes }
    return AudioBuffer(sampleRate: 1, channels: planes).converted(toChannels: channels).channels
  }
}
