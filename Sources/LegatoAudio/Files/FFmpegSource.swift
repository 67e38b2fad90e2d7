#if os(macOS) || os(Linux)
  /// Files decoded by an `ffmpeg` child process into float WAV through a pipe: AAC, M4A, Opus in WebM, video
  /// sound.
  final class FFmpegSource: AudioSource {
    let frames: Int?
    let framesAreExact = false
    private let path: String
    private let executable: String
    private var child: ChildProcess
    private var decoded: WAVSource
    private var position = 0

    /// Throws ``AudioError/notAudio(path:reason:)`` when ffmpeg finds no sound in the file.
    init(path: String, executable: String) throws {
      self.path = path
      self.executable = executable
      (child, decoded) = try Self.start(path, executable)
      frames = Self.duration(path).map { [decoded] in Int(($0 * Double(decoded.sampleRate)).rounded()) }
    }

    var sampleRate: Int { decoded.sampleRate }
    var channels: Int { decoded.channels }
    var format: String { "ffmpeg" }

    func read(_ count: Int) throws -> [[Float]] {
      let planes = try decoded.read(count)
      position += planes[0].count
      if planes[0].count < count, child.wait() != 0 {
        throw AudioError.cannotRead(path: path, reason: "ffmpeg: \(child.lastErrorLine ?? "decoding failed")")
      }
      return planes
    }

    func seek(to frame: Int) throws {
      if frame < position {
        (child, decoded) = try Self.start(path, executable)
        position = 0
      }
      while position < frame {
        if try read(min(frame - position, 1 << 15))[0].isEmpty { return }
      }
    }

    private static func start(_ path: String, _ executable: String) throws -> (ChildProcess, WAVSource) {
      // "file:" keeps a path from being taken for an option or a protocol.
      let child = try ChildProcess(
        executable: executable,
        arguments: [
          "-nostdin", "-v", "error", "-i", "file:\(path)", "-map", "0:a:0", "-vn", "-c:a", "pcm_f32le",
          "-f", "wav", "pipe:1",
        ], label: path)
      do {
        return (child, try WAVSource(child.output))
      } catch {
        _ = child.wait()
        throw AudioError.notAudio(path: path, reason: "ffmpeg: \(child.lastErrorLine ?? "no sound in it")")
      }
    }

    /// Seconds, as ffprobe reads them from the container.
    private static func duration(_ path: String) -> Double? {
      guard let probe = ChildProcess.find("ffprobe"),
        let child = try? ChildProcess(
          executable: probe,
          arguments: [
            "-v", "error", "-select_streams", "a:0", "-show_entries", "stream=duration:format=duration",
            "-of", "default=noprint_wrappers=1:nokey=1", "-i", "file:\(path)",
          ], label: path),
        let bytes = try? child.output.read(4096), child.wait() == 0
      else { return nil }
      return String(decoding: bytes, as: UTF8.self).split(separator: "\n").lazy.compactMap { Double($0) }
        .first
    }
  }
#endif
