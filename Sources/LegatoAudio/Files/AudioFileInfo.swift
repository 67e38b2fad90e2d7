/// What a sound file says about itself, without its samples.
public struct AudioFileInfo: Sendable, Equatable {
  /// Frames per second, in Hz.
  public var sampleRate: Int
  /// Number of channels.
  public var channels: Int
  /// Frames in the file; nil when only reading it to the end would tell (a pipe).
  public var frames: Int?
  /// False when ``frames`` is computed from the container's duration (files that ffmpeg decodes).
  public var framesAreExact: Bool
  /// Short name of container, encoding or decoder, for people.
  public var format: String

  /// Length in seconds, when ``frames`` is known.
  public var duration: Double? { frames.map { Double($0) / Double(sampleRate) } }
}
