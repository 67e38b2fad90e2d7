import Foundation

/// Whole sound files and parts of them. ``AudioFileReader`` reads in blocks, ``WAVWriter`` writes in blocks.
public enum AudioFile {
  /// The whole file. "-" reads a WAV stream from standard input.
  ///
  /// Throws ``AudioError``: no such file, empty, truncated, not a sound file, NaN samples, missing library.
  public static func read(_ path: String) throws -> AudioBuffer {
    let reader = try AudioFileReader(path: path)
    return try collect(reader, upTo: .max, expecting: reader.info.frames ?? 0)
  }

  /// The whole file.
  public static func read(_ url: URL) throws -> AudioBuffer {
    try read(url.path)
  }

  /// Only `frames` of the file, all of which must be in it.
  ///
  /// WAV and what libsndfile decodes are sought; other files are decoded up to the range.
  /// Throws ``AudioError/outOfRange(path:requested:frames:)`` besides what ``read(_:)-(String)`` throws.
  public static func read(_ path: String, frames: Range<Int>) throws -> AudioBuffer {
    let reader = try AudioFileReader(path: path)
    func outside(_ count: Int) -> AudioError {
      .outOfRange(path: path, requested: frames, frames: count)
    }
    if frames.lowerBound < 0 { throw outside(reader.info.frames ?? 0) }
    if reader.info.framesAreExact, let count = reader.info.frames, frames.upperBound > count {
      throw outside(count)
    }
    if frames.isEmpty {
      return AudioBuffer(
        sampleRate: reader.info.sampleRate, channels: Array(repeating: [], count: reader.info.channels))
    }
    try reader.seek(toFrame: frames.lowerBound)
    let buffer = try collect(reader, upTo: frames.count, expecting: frames.count)
    if buffer.frameCount < frames.count { throw outside(reader.position) }
    return buffer
  }

  /// The part from a second on, of so many seconds or to the end; shorter, or empty, where the file ends before.
  ///
  /// Only that part is read where the file tells its length; else all of it tells.
  public static func read(_ path: String, from: Double, seconds: Double? = nil) throws -> AudioBuffer {
    let info = try info(path)
    let whole = info.framesAreExact ? nil : try read(path)
    let frames = whole?.frameCount ?? info.frames ?? 0
    let first = min(Int(from * Double(info.sampleRate)), frames)
    let length = min(seconds.map { Int($0 * Double(info.sampleRate)) } ?? .max, frames - first)
    return try whole?.slice(frames: first..<first + length) ?? read(path, frames: first..<first + length)
  }

  /// Seconds that a file lasts; it is decoded where it does not tell.
  public static func duration(_ path: String) throws -> Double {
    let info = try info(path)
    if info.framesAreExact, let duration = info.duration { return duration }
    return try read(path).duration
  }

  /// Rate, channels and length, without decoding the whole file.
  public static func info(_ path: String) throws -> AudioFileInfo {
    try AudioFileReader(path: path).info
  }

  /// Writes `buffer` as a WAV file: aside, then renamed into place.
  ///
  /// Throws ``AudioError``: disk full, cannot write, NaN samples.
  public static func write(
    _ buffer: AudioBuffer, to path: String, format: WAVWriter.Format = .pcm16
  ) throws {
    let writer = try WAVWriter(
      path, sampleRate: buffer.sampleRate, channels: buffer.channelCount, format: format)
    try writer.append(buffer.channels)
    try writer.finish()
  }

  private static func collect(
    _ reader: AudioFileReader, upTo limit: Int, expecting: Int
  ) throws -> AudioBuffer {
    var channels = [[Float]](repeating: [], count: reader.info.channels)
    // A header can lie about the length: what is reserved for it stays modest.
    for channel in channels.indices { channels[channel].reserveCapacity(min(expecting, 1 << 24)) }
    var left = limit
    while left > 0, let block = try reader.read(maxFrames: min(left, 1 << 16)) {
      for channel in channels.indices { channels[channel] += block.channels[channel] }
      left -= block.frameCount
    }
    return AudioBuffer(sampleRate: reader.info.sampleRate, channels: channels)
  }
}
