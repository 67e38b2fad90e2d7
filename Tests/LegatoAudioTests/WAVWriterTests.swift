import Foundation
import Testing

@testable import LegatoAudio

@Suite struct WAVWriterTests {
  @Test(arguments: WAVWriter.Format.allCases, [1, 2, 5]) func roundTrip(
    format: WAVWriter.Format, channels: Int
  ) throws {
    try withFolder { folder in
      let path = folder + "/out.wav"
      let input = noise(1001, channels: channels, rate: 44_100)
      let writer = try WAVWriter(path, sampleRate: 44_100, channels: channels, format: format)
      for chunk in chunks(input.channels, sizes: [1, 300, 77]) { try writer.append(chunk) }
      #expect(!FileManager.default.fileExists(atPath: path))
      try writer.finish()
      #expect(try contents(of: folder) == ["out.wav"])
      #expect(writer.framesWritten == 1001 && writer.clippedSamples == 0)

      let step: Float = format == .pcm16 ? 0.5 / 32768 : format == .pcm24 ? 0.5 / 8_388_608 : 0
      let read = try AudioFile.read(path)
      #expect(read.sampleRate == 44_100 && read.channelCount == channels && read.frameCount == 1001)
      #expect(largestDifference(read.channels, input.channels) <= step * 1.01)
      // What was read is written again without a change.
      try AudioFile.write(read, to: path, format: format)
      #expect(try AudioFile.read(path) == read)
      // libsndfile agrees with our reader.
      let other = try SndFileSource(path: path, library: SndFileLibrary.shared.get())
      #expect(try other.read(2000) == read.channels)
      #expect(other.frames == 1001)
      // The sizes in the header are those of the file.
      let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
      #expect(Int(WAVHeader.uint32(bytes, 4)) == bytes.count - 8)
      #expect(bytes.count % 2 == 0)
    }
  }

  @Test(arguments: WAVWriter.Format.allCases) func longFilesBecomeRF64(format: WAVWriter.Format) throws {
    try withFolder { folder in
      let path = folder + "/long.wav"
      let input = noise(3001, channels: 1)
      let writer = try WAVWriter(path, sampleRate: 48_000, channels: 1, format: format, rf64Threshold: 5000)
      try writer.append(input)
      try writer.finish()
      let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
      #expect(String(decoding: bytes[..<4], as: UTF8.self) == "RF64")
      #expect(String(decoding: bytes[12..<16], as: UTF8.self) == "ds64")
      #expect(Int(WAVHeader.uint64(bytes, 20)) == bytes.count - 8)
      #expect(Int(WAVHeader.uint64(bytes, 28)) == 3001 * format.bytes)
      #expect(Int(WAVHeader.uint64(bytes, 36)) == 3001)
      let read = try AudioFile.read(path)
      #expect(largestDifference(read.channels, input.channels) <= 0.51 / 32768)
      #expect(try SndFileSource(path: path, library: SndFileLibrary.shared.get()).read(4000) == read.channels)
    }
  }

  @Test func fullScaleAndBeyond() throws {
    try withFolder { folder in
      let path = folder + "/a.wav"
      let writer = try WAVWriter(path, sampleRate: 8000, channels: 1)
      try writer.append([[1, -1, 1.5, -1.5, 0]])
      try writer.finish()
      #expect(writer.clippedSamples == 2)
      #expect(try AudioFile.read(path).channels == [[32767 / 32768, -1, 32767 / 32768, -1, 0]])
    }
  }

  @Test func cancelLeavesNothingAndKeepsWhatWasThere() throws {
    try withFolder { folder in
      let path = folder + "/a.wav"
      try AudioFile.write(sine(100, rate: 8000, seconds: 0.1), to: path)
      let before = try Data(contentsOf: URL(fileURLWithPath: path))
      let writer = try WAVWriter(path, sampleRate: 8000, channels: 1)
      try writer.append([[0, 0, 0]])
      #expect(try contents(of: folder).count == 2)
      writer.cancel()
      // A writer that is forgotten cleans up too, and so does one that meets a NaN.
      do {
        let forgotten = try WAVWriter(path, sampleRate: 8000, channels: 1)
        try forgotten.append([[1]])
      }
      #expect(throws: AudioError.notFinite(path: path, frame: 1, channel: 0)) {
        try AudioFile.write(AudioBuffer(sampleRate: 8000, channels: [[0, .nan]]), to: path)
      }
      #expect(try contents(of: folder) == ["a.wav"])
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }
  }

  @Test func impossiblePlaces() throws {
    try withFolder { folder in
      let buffer = sine(100, rate: 8000, seconds: 0.1)
      try Data([1]).write(to: URL(fileURLWithPath: folder + "/file"))
      for path in ["/file/a.wav", "/missing/a.wav", "", "/"] {
        #expect(throws: AudioError.self, "\(path)") { try AudioFile.write(buffer, to: folder + path) }
      }
      #expect { try AudioFile.write(buffer, to: folder + "/missing/a.wav") } throws: {
        "\($0)".contains("folder does not exist")
      }
      #expect(throws: AudioError.self) { try WAVWriter(folder + "/a.wav", sampleRate: 0, channels: 1) }
      #expect(throws: AudioError.self) { try WAVWriter(folder + "/a.wav", sampleRate: 8000, channels: 0) }
      #expect(try contents(of: folder) == ["file"])
      if FileManager.default.fileExists(atPath: "/dev/full") {
        #expect(throws: AudioError.diskFull(path: "/dev/full")) {
          try AudioFile.write(buffer, to: "/dev/full")
        }
        #expect(throws: AudioError.diskFull(path: "/dev/full")) { try Chart().write(to: "/dev/full") }
      }
    }
  }

  @Test func aLinkIsFollowed() throws {
    try withFolder { folder in
      let buffer = sine(100, rate: 8000, seconds: 0.1)
      try AudioFile.write(buffer, to: folder + "/real.wav")
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/link.wav", withDestinationPath: "real.wav")
      try AudioFile.write(noise(10, rate: 8000), to: folder + "/link.wav")
      #expect(try AudioFile.read(folder + "/real.wav").frameCount == 10)
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link.wav") == "real.wav")
    }
  }

  @Test func toAPipeItStreams() throws {
    try withFolder { folder in
      let fifo = folder + "/fifo"
      #expect(mkfifo(fifo, 0o600) == 0)
      let reader = Process()
      reader.executableURL = URL(fileURLWithPath: "/bin/sh")
      reader.arguments = ["-c", "cat '\(fifo)' > '\(folder)/copy.wav'"]
      try reader.run()
      let input = noise(5000, channels: 2)
      let writer = try WAVWriter(fifo, sampleRate: 48_000, channels: 2, format: .float32)
      try writer.append(input)
      try writer.finish()
      reader.waitUntilExit()
      let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: folder + "/copy.wav")))
      #expect(WAVHeader.uint32(bytes, 4) == .max)
      #expect(try AudioFile.read(folder + "/copy.wav") == input)
    }
  }

  @Test func aPlayerThatClosesIsATypedError() throws {
    try withFolder { folder in
      let fifo = folder + "/fifo"
      #expect(mkfifo(fifo, 0o600) == 0)
      let reader = Process()
      reader.executableURL = URL(fileURLWithPath: "/bin/sh")
      reader.arguments = ["-c", "head -c 100 '\(fifo)' > /dev/null"]
      try reader.run()
      let writer = try WAVWriter(fifo, sampleRate: 48_000, channels: 1)
      #expect(throws: AudioError.outputClosed(path: fifo)) {
        for _ in 0..<1000 { try writer.append(noise(10_000)) }
      }
      reader.waitUntilExit()
    }
  }
}
