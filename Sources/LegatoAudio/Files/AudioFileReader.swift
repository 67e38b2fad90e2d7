/// A sound file read block by block, so that an hour need not be in memory.
///
/// WAV is read by Legato itself; FLAC, OGG, MP3, AIFF and more by libsndfile, and what neither knows (AAC,
/// M4A)
/// by an `ffmpeg` child process. Both are looked for when such a file is opened.
public final class AudioFileReader {
  /// The path as given.
  public let path: String
  /// Rate, channels, length.
  public let info: AudioFileInfo
  /// Frames read or sought past so far.
  public private(set) var position = 0

  private let source: any AudioSource

  /// Opens `path`; "-" reads a WAV stream from standard input.
  ///
  /// Throws ``AudioError``: no such file, empty, truncated, not a sound file, missing library.
  public convenience init(path: String) throws {
    try self.init(path: path, decoders: .installed)
  }

  init(path: String, decoders: Decoders) throws {
    self.path = path
    source = try decoders.source(path)
    info = AudioFileInfo(
      sampleRate: source.sampleRate, channels: source.channels, frames: source.frames,
      framesAreExact: source.framesAreExact, format: source.format)
    if source.frames == 0 { throw AudioError.empty(path: path) }
  }

  /// 120 dB over full scale. What is louder is a damaged file, and spectra of it overflow.
  static let mostSample: Float = 1e6

  /// The next `maxFrames` frames, fewer at the end, nil after it. Traps where that is not above 0.
  ///
  /// Throws ``AudioError/notFinite(path:frame:channel:)`` at a sample that is NaN or infinite, ``AudioError/outOfScale(path:frame:channel:value:)``
  /// at one beyond ±``mostSample``.
  public func read(maxFrames: Int = 65536) throws -> AudioBuffer? {
    precondition(maxFrames > 0, "AudioFileReader.read: maxFrames is \(maxFrames)")
    let planes = try source.read(maxFrames)
    if planes[0].isEmpty {
      if position == 0 { throw AudioError.empty(path: path) }
      return nil
    }
    for (channel, plane) in planes.enumerated() {
      if let frame = plane.firstIndex(where: { !(abs($0) <= Self.mostSample) }) {
        throw plane[frame].isFinite
          ? AudioError.outOfScale(
            path: path, frame: position + frame, channel: channel, value: plane[frame])
          : AudioError.notFinite(path: path, frame: position + frame, channel: channel)
      }
    }
    position += planes[0].count
    return AudioBuffer(sampleRate: info.sampleRate, channels: planes)
  }

  /// Moves to `frame`, which must lie in the file.
  ///
  /// Throws ``AudioError/outOfRange(path:requested:frames:)``.
  public func seek(toFrame frame: Int) throws {
    if frame < 0 || (info.framesAreExact && frame > info.frames ?? .max) {
      throw AudioError.outOfRange(path: path, requested: frame..<frame, frames: info.frames ?? 0)
    }
    if frame == position { return }
    try source.seek(to: frame)
    position = frame
  }
}
