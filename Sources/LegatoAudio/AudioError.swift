/// What can go wrong with sound files, their libraries, resampling and pictures.
///
/// Every description says what failed, where, and what to do about it.
public enum AudioError: Error, Equatable, Sendable {
  /// There is no file at the path.
  case fileNotFound(path: String)
  /// The file is there and could not be opened or read.
  case cannotRead(path: String, reason: String)
  /// The file holds no bytes, or a header and no sample.
  case empty(path: String)
  /// The file ends before what its header promises.
  case truncated(path: String, expectedBytes: Int, foundBytes: Int)
  /// The file is not a sound file, or no decoder recognises it.
  case notAudio(path: String, reason: String)
  /// The file is a sound file in an encoding that the reader does not decode.
  case unsupported(path: String, reason: String)
  /// A sample is NaN or infinite.
  case notFinite(path: String, frame: Int, channel: Int)
  /// A sample is so far beyond ±1 that it is no sound.
  case outOfScale(path: String, frame: Int, channel: Int, value: Float)
  /// The frames asked for are not all in the file.
  case outOfRange(path: String, requested: Range<Int>, frames: Int)
  /// A library that is opened at run time is not installed.
  case libraryMissing(name: String, install: String)
  /// A file could not be created, written or renamed into place.
  case cannotWrite(path: String, reason: String)
  /// The disk has no room left.
  case diskFull(path: String)
  /// Whoever read our output, such as a player, has closed it.
  case outputClosed(path: String)
  /// The resampler refused its arguments or failed.
  case resampling(reason: String)
  /// A value that a user gave is outside what can be used.
  case invalidArgument(name: String, reason: String)
}

extension AudioError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .fileNotFound(let path):
      "\(path): no such file. Check the path."
    case .cannotRead(let path, let reason):
      "\(path): cannot be read: \(reason)."
    case .empty(let path):
      "\(path): the file is empty: it holds no sample. Record or export it again."
    case .truncated(let path, let expected, let found):
      "\(path): the file is cut short: its header promises \(expected) bytes of sound and \(found) are there. "
        + "Copy or download it again."
    case .notAudio(let path, let reason):
      "\(path): not a sound file that can be read (\(reason)). Give a WAV, FLAC, OGG, MP3, AIFF or M4A file."
    case .unsupported(let path, let reason):
      "\(path): \(reason). Convert it first, for example: ffmpeg -i INPUT -c:a pcm_s24le OUTPUT.wav"
    case .notFinite(let path, let frame, let channel):
      "\(path): the sample at frame \(frame), channel \(channel) is NaN or infinite. Export the sound again."
    case .outOfScale(let path, let frame, let channel, let value):
      "\(path): the sample at frame \(frame), channel \(channel) is \(value), and full scale is 1. Export the sound again."
    case .outOfRange(let path, let requested, let frames):
      "\(path): frames \(requested.lowerBound)..<\(requested.upperBound) were asked for and the file has \(frames)."
    case .libraryMissing(let name, let install):
      "\(name) is not installed. Install it with: \(install)"
    case .cannotWrite(let path, let reason):
      "\(path): cannot be written: \(reason)."
    case .diskFull(let path):
      "\(path): the disk is full. Free some space or write elsewhere."
    case .outputClosed(let path):
      "\(path): closed by its reader; writing stopped."
    case .resampling(let reason):
      "Resampling failed: \(reason)."
    case .invalidArgument(let name, let reason):
      "\(name): \(reason)."
    }
  }
}
