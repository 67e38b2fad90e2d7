/// Chooses who decodes a file: our WAV reader by its magic, then libsndfile, then ffmpeg.
struct Decoders {
  var sndFile: Result<SndFileLibrary, any Error>
  /// Path of the ffmpeg program, if there is one.
  var ffmpeg: String?

  static var installed: Decoders {
    #if os(macOS) || os(Linux)
      Decoders(sndFile: SndFileLibrary.shared, ffmpeg: ChildProcess.find("ffmpeg"))
    #else
      Decoders(sndFile: SndFileLibrary.shared, ffmpeg: nil)
    #endif
  }

  func source(_ path: String) throws -> any AudioSource {
    let stream = try ByteStream(path: path)
    let head = try stream.peek(12)
    if head.isEmpty { throw AudioError.empty(path: path) }
    let isWAV = WAVHeader.isWAV(head)
    if isWAV {
      do {
        if stream.length != nil { try stream.seek(to: 0) }
        return try WAVSource(stream)
      } catch let error as AudioError {
        guard case .unsupported = error, path != "-" else { throw error }
      }
    }
    guard path != "-" else {
      throw AudioError.unsupported(path: "standard input", reason: "only WAV can be read from a pipe")
    }
    var failure: any Error
    do {
      return try SndFileSource(path: path, library: sndFile.get())
    } catch AudioError.libraryMissing(let name, let install) where !isWAV && !Self.isSndFileName(path) {
      // One file that nothing shows to be sound is no reason to give up all others.
      failure = AudioError.notAudio(path: path, reason: "no WAV; other formats need \(name): \(install)")
    } catch {
      failure = error
    }
    #if os(macOS) || os(Linux)
      if let ffmpeg {
        do {
          return try FFmpegSource(path: path, executable: ffmpeg)
        } catch {
          // What libsndfile said of a file is no use once ffmpeg has looked too.
          failure = error
        }
      } else if case .notAudio(_, let reason)? = failure as? AudioError {
        let install = DynamicLibrary.installCommand(apt: "ffmpeg", brew: "ffmpeg")
        failure = AudioError.notAudio(
          path: path, reason: "\(reason); AAC, M4A and video files need ffmpeg: \(install)")
      }
    #endif
    throw failure
  }

  /// Whether a file is named like one that libsndfile reads and we do not.
  private static func isSndFileName(_ path: String) -> Bool {
    ["flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc", "caf", "au", "snd", "w64"]
      .contains { path.lowercased().hasSuffix("." + $0) }
  }
}
