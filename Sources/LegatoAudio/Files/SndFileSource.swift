/// Files decoded by libsndfile: FLAC, OGG, Opus, MP3, AIFF, CAF and more.
final class SndFileSource: AudioSource {
  let sampleRate: Int
  let channels: Int
  let frames: Int?
  let framesAreExact = true
  let format: String
  private let path: String
  private let library: SndFileLibrary
  private let handle: OpaquePointer

  /// Throws ``AudioError/notAudio(path:reason:)`` when libsndfile does not recognise the file.
  init(path: String, library: SndFileLibrary) throws {
    var info = SndFileLibrary.Info()
    guard let handle = withUnsafeMutableBytes(of: &info, { library.open(path, 0x10, $0.baseAddress) }) else {
      throw AudioError.notAudio(path: path, reason: library.error(nil))
    }
    guard info.channels > 0, info.sampleRate > 0 else {
      _ = library.close(handle)
      throw AudioError.notAudio(path: path, reason: "no channels or no sample rate")
    }
    self.handle = handle
    self.library = library
    self.path = path
    sampleRate = Int(info.sampleRate)
    channels = Int(info.channels)
    frames = info.frames == .max ? nil : Int(info.frames)
    format = "libsndfile 0x" + String(info.format, radix: 16)
  }

  deinit { _ = library.close(handle) }

  func read(_ count: Int) throws -> [[Float]] {
    let channels = self.channels
    let interleaved = [Float](unsafeUninitializedCapacity: count * channels) { buffer, filled in
      filled = max(0, Int(library.read(handle, buffer.baseAddress, Int64(count)))) * channels
    }
    let code = library.errorCode(handle)
    if code != 0 { throw AudioError.cannotRead(path: path, reason: library.error(handle)) }
    let frames = interleaved.count / channels
    return (0..<channels).map { channel in
      [Float](unsafeUninitializedCapacity: frames) { buffer, filled in
        for frame in 0..<frames { buffer[frame] = interleaved[frame * channels + channel] }
        filled = frames
      }
    }
  }

  func seek(to frame: Int) throws {
    guard library.seek(handle, Int64(frame), 0) >= 0 else {
      throw AudioError.cannotRead(
        path: path, reason: "frame \(frame) cannot be reached: \(library.error(handle))")
    }
  }
}
