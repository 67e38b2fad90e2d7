import Foundation
import Testing

@testable import LegatoAudio

private let hasFFmpeg = ChildProcess.find("ffmpeg") != nil
private let hasSox = ChildProcess.find("sox") != nil
private let hasSndFile = (try? SndFileLibrary.shared.get()) != nil

@Suite struct DecoderTests {
  private func encoded(_ folder: String, _ name: String, _ options: [String] = []) throws -> String {
    try AudioFile.write(sine(440, rate: 44_100, seconds: 1, channels: 2), to: folder + "/in.wav")
    let result = try run(
      "ffmpeg", ["-v", "error", "-y", "-i", folder + "/in.wav"] + options + [folder + "/" + name])
    #expect(result.status == 0)
    return folder + "/" + name
  }

  private func checkSine(_ buffer: AudioBuffer, tolerance: Float) {
    #expect(buffer.sampleRate == 44_100 && buffer.channelCount == 2)
    #expect(abs(buffer.frameCount - 44_100) < 4000)
    let middle = buffer.slice(frames: 10_000..<30_000)
    #expect(abs(middle.rms - 0.3536) < tolerance)
    #expect(abs(AudioMeasure(middle).spectralCentroid - 440) < 25)
  }

  @Test(.enabled(if: hasFFmpeg && hasSndFile)) func flacIsExact() throws {
    try withFolder { folder in
      let path = try encoded(folder, "a.flac")
      let whole = try AudioFile.read(path)
      #expect(whole == (try AudioFile.read(folder + "/in.wav")))
      #expect(try AudioFile.info(path).frames == 44_100)
      #expect(try AudioFile.read(path, frames: 20_000..<20_500) == whole.slice(frames: 20_000..<20_500))
    }
  }

  @Test(.enabled(if: hasFFmpeg && hasSndFile), arguments: ["a.mp3", "a.ogg", "a.aiff", "mu-law.wav"])
  func lossyFilesByLibsndfile(name: String) throws {
    try withFolder { folder in
      let options =
        name == "mu-law.wav" ? ["-c:a", "pcm_mulaw"] : name == "a.ogg" ? ["-c:a", "libvorbis"] : []
      let path = try encoded(folder, name, options)
      // LAME turns the level down by 5 %.
      checkSine(try AudioFile.read(path), tolerance: 0.02)
      #expect(try AudioFile.info(path).format.hasPrefix("libsndfile"))
    }
  }

  @Test(.enabled(if: hasFFmpeg)) func aacByFFmpeg() throws {
    try withFolder { folder in
      let path = try encoded(folder, "a.m4a")
      let whole = try AudioFile.read(path)
      checkSine(whole, tolerance: 0.01)
      let info = try AudioFile.info(path)
      #expect(info.format == "ffmpeg" && !info.framesAreExact)
      #expect(abs((info.frames ?? 0) - 44_100) < 4000)
      #expect(try AudioFile.read(path, frames: 9000..<9100) == whole.slice(frames: 9000..<9100))
      // Backwards means from the start again.
      let reader = try AudioFileReader(path: path)
      try reader.seek(toFrame: 5000)
      try reader.seek(toFrame: 100)
      #expect(try reader.read(maxFrames: 50) == whole.slice(frames: 100..<150))
    }
  }

  @Test(.enabled(if: hasFFmpeg)) func withoutLibsndfileFFmpegReads() throws {
    try withFolder { folder in
      let path = try encoded(folder, "a.flac")
      let missing = Result<SndFileLibrary, any Error> { try SndFileLibrary(candidates: ["libnothere.so"]) }
      let reader = try AudioFileReader(
        path: path, decoders: Decoders(sndFile: missing, ffmpeg: ChildProcess.find("ffmpeg")))
      #expect(reader.info.format == "ffmpeg")
      // Nothing installed: the error says what to install. WAV needs nothing.
      let nothing = Decoders(sndFile: missing, ffmpeg: nil)
      #expect { try AudioFileReader(path: path, decoders: nothing) } throws: {
        "\($0)".contains("libsndfile")
      }
      #expect(try AudioFileReader(path: folder + "/in.wav", decoders: nothing).info.frames == 44_100)
    }
  }

  @Test func withNothingInstalledOneOddFileIsOneOddFile() throws {
    try withFolder { folder in
      let missing = Result<SndFileLibrary, any Error> { try SndFileLibrary(candidates: ["libnothere.so"]) }
      func failure(_ name: String, _ bytes: Data) throws -> AudioError? {
        try bytes.write(to: URL(fileURLWithPath: folder + "/" + name))
        return #expect(throws: AudioError.self) {
          try AudioFileReader(path: folder + "/" + name, decoders: Decoders(sndFile: missing, ffmpeg: nil))
        }
      }
      let text = Data("This is a text, not a sound.".utf8)
      guard case .notAudio(_, let reason)? = try failure("notes.wav", text) else {
        return #expect(Bool(false), "a text")
      }
      #expect(reason.contains("libsndfile"))
      // What libsndfile would read, by its name or by its head, stops everything: its kind would be left out silently.
      for name in ["a.flac", "A.MP3"] {
        guard case .libraryMissing? = try failure(name, text) else {
          return #expect(Bool(false), "\(name)")
        }
      }
      var wav = WAVBytes()
      wav.format(tag: 2)
      wav.chunk("data", [0, 0, 0, 0])
      guard case .libraryMissing? = try failure("adpcm.wav", Data(wav.bytes)) else {
        return #expect(Bool(false), "a WAV that is not ours")
      }
    }
  }

  @Test(.enabled(if: hasFFmpeg && hasSndFile)) func withoutFFmpegTheErrorNamesIt() throws {
    try withFolder { folder in
      let path = try encoded(folder, "a.m4a")
      #expect {
        try AudioFileReader(path: path, decoders: Decoders(sndFile: SndFileLibrary.shared, ffmpeg: nil))
      } throws: { "\($0)".contains("install ffmpeg") }
    }
  }

  @Test(.enabled(if: hasFFmpeg)) func brokenM4A() throws {
    try withFolder { folder in
      let path = try encoded(folder, "a.m4a")
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: path))
      #expect(throws: AudioError.self) { try AudioFile.read(path) }
    }
  }

  @Test(.enabled(if: hasSox)) func whatSoxStreams() throws {
    try withFolder { folder in
      let made = try run(
        "sox", ["-n", "-r", "44100", "-c", "2", "-t", "wav", "-", "synth", "1", "sine", "440", "gain", "-6"])
      let path = folder + "/s.wav"
      try made.output.write(to: URL(fileURLWithPath: path))
      checkSine(try AudioFile.read(path), tolerance: 0.01)
    }
  }

  @Test(.enabled(if: hasFFmpeg)) func whatFFmpegStreams() throws {
    try withFolder { folder in
      let source = try encoded(folder, "a.flac")
      let made = try run("ffmpeg", ["-v", "error", "-i", source, "-f", "wav", "-"])
      try made.output.write(to: URL(fileURLWithPath: folder + "/s.wav"))
      #expect(try AudioFile.read(folder + "/s.wav") == AudioFile.read(source))
    }
  }

  @Test func blocksAndRangesOfWAV() throws {
    try withFolder { folder in
      let path = folder + "/a.wav"
      let input = noise(10_000, channels: 2)
      try AudioFile.write(input, to: path, format: .float32)
      #expect(
        try AudioFile.info(path)
          == AudioFileInfo(
            sampleRate: 48_000, channels: 2, frames: 10_000, framesAreExact: true, format: "WAV float32"))
      #expect(try AudioFile.info(path).duration == 10_000 / 48_000)
      let reader = try AudioFileReader(path: path)
      var blocks: [[[Float]]] = []
      while let block = try reader.read(maxFrames: 999) { blocks.append(block.channels) }
      #expect(joined(blocks) == input.channels)
      #expect(blocks.count == 11)
      try reader.seek(toFrame: 5000)
      #expect(try reader.read(maxFrames: 10) == input.slice(frames: 5000..<5010))
      #expect(try AudioFile.read(path, frames: 9990..<10_000) == input.slice(frames: 9990..<10_000))
      #expect(try AudioFile.read(path, frames: 7..<7).frameCount == 0)
      for range in [9990..<10_001, -1..<5, 20_000..<20_001] {
        #expect(throws: AudioError.outOfRange(path: path, requested: range, frames: 10_000)) {
          try AudioFile.read(path, frames: range)
        }
      }
    }
  }
}
