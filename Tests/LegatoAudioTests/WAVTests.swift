import Foundation
import Testing

@testable import LegatoAudio

/// Builds WAV files byte by byte, also ones that no sane program writes.
struct WAVBytes {
  var bytes: [UInt8] = []

  init(riff: String = "RIFF", size: UInt32 = 0) {
    bytes.append(text: riff)
    bytes.append(size)
    bytes.append(text: "WAVE")
  }

  mutating func chunk(_ name: String, _ body: [UInt8], declared: UInt32? = nil, padded: Bool = true) {
    bytes.append(text: name)
    bytes.append(declared ?? UInt32(body.count))
    bytes += body
    if padded, body.count % 2 == 1 { bytes.append(0) }
  }

  mutating func format(
    tag: UInt16 = 1, channels: UInt16 = 1, rate: UInt32 = 8000, bits: UInt16 = 16, extensible: Bool = false
  ) {
    var body: [UInt8] = []
    body.append(extensible ? 0xFFFE : tag)
    body.append(channels)
    body.append(rate)
    body.append(rate * UInt32(channels) * UInt32(bits / 8))
    body.append(channels * (bits / 8))
    body.append(bits)
    if extensible {
      body.append(UInt16(22))
      body.append(bits)
      body.append(UInt32(0))
      body.append(tag)
      body += [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]
    }
    chunk("fmt ", body)
  }

  func write(_ folder: String, _ name: String = "a.wav") throws -> String {
    let path = folder + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }
}

@Suite struct WAVTests {
  private let samples: [UInt8] = [0x00, 0x40, 0x00, 0xC0, 0xFF, 0x7F, 0x00, 0x80]
  private let decoded: [Float] = [0.5, -0.5, 32767 / 32768, -1]

  private func little<Integer: FixedWidthInteger & UnsignedInteger>(_ values: [Integer]) -> [UInt8] {
    values.reduce(into: []) { $0.append($1) }
  }

  @Test(arguments: [false, true]) func everyEncoding(extensible: Bool) throws {
    let cases: [(tag: UInt16, bits: UInt16, body: [UInt8], expected: [Float])] = [
      (1, 8, [128, 255, 0, 192], [0, 127 / 128, -1, 0.5]),
      (1, 16, samples, decoded),
      (
        1, 24, [0, 0, 0x40, 0, 0, 0xC0, 0xFF, 0xFF, 0x7F, 1, 0, 0],
        [0.5, -0.5, 8_388_607 / 8_388_608, 1 / 8_388_608]
      ),
      (1, 32, little([UInt32(0x4000_0000), 0x8000_0000, 0, 0xC000_0000]), [0.5, -1, 0, -0.5]),
      (3, 32, little([Float(0.1), -2, 0, 1].map(\.bitPattern)), [0.1, -2, 0, 1]),
      (3, 64, little([0.1, -2, 0, 1].map(\.bitPattern)), [0.1, -2, 0, 1]),
    ]
    for (tag, bits, body, expected) in cases {
      try withFolder { folder in
        var wav = WAVBytes()
        wav.format(tag: tag, channels: 2, rate: 44_100, bits: bits, extensible: extensible)
        wav.chunk("data", body)
        let buffer = try AudioFile.read(wav.write(folder))
        #expect(buffer.sampleRate == 44_100)
        #expect(
          buffer.channels == [[expected[0], expected[2]], [expected[1], expected[3]]], "\(tag) \(bits)")
      }
    }
  }

  @Test(arguments: [true, false]) func otherChunksAndOddSizes(padded: Bool) throws {
    try withFolder { folder in
      var wav = WAVBytes()
      wav.chunk("LIST", Array("INFOISFT".utf8) + [3, 0, 0, 0, 65, 66, 0], padded: padded)
      wav.chunk("bext", Array(repeating: 7, count: 603), padded: padded)
      wav.format()
      wav.chunk("fact", [4, 0, 0], padded: padded)
      wav.chunk("data", samples)
      wav.chunk("LIST", [1, 2, 3])
      let path = try wav.write(folder)
      #expect(try AudioFile.read(path).channels == [decoded])
    }
  }

  @Test func aLastChunkWithoutPadding() throws {
    try withFolder { folder in
      var wav = WAVBytes()
      wav.format(bits: 8)
      wav.chunk("data", [128, 0, 255], padded: false)
      let path = try wav.write(folder)
      #expect(try AudioFile.read(path).frameCount == 3)
    }
  }

  @Test(arguments: [0, 0xFFFF_FFFF, 0x7FFF_F000, 0x8000_0000] as [UInt32]) func streamedSizes(
    declared: UInt32
  ) throws {
    try withFolder { folder in
      var wav = WAVBytes(size: declared)
      wav.format()
      wav.chunk("data", samples, declared: declared)
      let path = try wav.write(folder)
      #expect(try AudioFile.read(path).channels == [decoded])
      #expect(try AudioFile.info(path).frames == 4)
      // The same through a pipe, where nobody knows the length.
      let stream = try ByteStream(path: path)
      let pipe = Pipe()
      try pipe.fileHandleForWriting.write(contentsOf: Data(stream.read(1000)))
      try pipe.fileHandleForWriting.close()
      let source = try WAVSource(
        ByteStream(descriptor: dup(pipe.fileHandleForReading.fileDescriptor), path: "pipe"))
      #expect(source.frames == nil)
      #expect(try source.read(100) == [decoded])
    }
  }

  @Test func rf64SizeIsInItsOwnChunk() throws {
    try withFolder { folder in
      var wav = WAVBytes(riff: "RF64", size: .max)
      wav.chunk("ds64", little([UInt64(100), 8, 4]) + [0, 0, 0, 0])
      wav.format()
      wav.chunk("data", samples, declared: .max)
      wav.chunk("LIST", [1, 2, 3, 4])
      let path = try wav.write(folder)
      #expect(try AudioFile.read(path).channels == [decoded])
    }
  }

  @Test func beyondFourGigabytes() throws {
    try withFolder { folder in
      let frames = 2_300_000_000
      var wav = WAVBytes(riff: "RF64", size: .max)
      wav.chunk(
        "ds64", little([UInt64(frames * 2 + 100), UInt64(frames * 2), UInt64(frames)]) + [0, 0, 0, 0])
      wav.format()
      wav.chunk("data", [], declared: .max)
      let path = try wav.write(folder)
      // Sparse: the zeros in between take no room.
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try file.seek(toOffset: UInt64(wav.bytes.count + frames * 2 - 8))
      try file.write(contentsOf: Data(samples))
      try file.close()
      #expect(try AudioFile.info(path).frames == frames)
      #expect(try AudioFile.read(path, frames: frames - 5..<frames).channels == [[0] + decoded])
    }
  }

  @Test func brokenFilesAreTypedErrors() throws {
    try withFolder { folder in
      func failure(_ bytes: [UInt8], _ name: String = "x.wav") throws -> AudioError? {
        let path = folder + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return #expect(throws: AudioError.self) { try AudioFile.read(path) }
      }
      var wav = WAVBytes()
      wav.format()
      let path = folder + "/x.wav"
      #expect(try failure([]) == .empty(path: path))
      #expect(try failure(wav.bytes) == .truncated(path: path, expectedBytes: 44, foundBytes: 36))
      #expect(try failure(Array(wav.bytes.prefix(20))) != nil)
      var short = wav
      short.chunk("data", samples, declared: 1000)
      #expect(try failure(short.bytes) == .truncated(path: path, expectedBytes: 1000, foundBytes: 8))
      var none = wav
      none.chunk("data", [])
      #expect(try failure(none.bytes) == .empty(path: path))
      none.chunk("LIST", [1, 2, 3, 4])
      #expect(try failure(none.bytes) == .empty(path: path))
      var early = WAVBytes()
      early.chunk("data", samples)
      #expect(try failure(early.bytes) == .notAudio(path: path, reason: "no fmt chunk"))
      var silly = WAVBytes()
      silly.format(channels: 0)
      silly.chunk("data", samples)
      guard case .notAudio? = try failure(silly.bytes) else { return #expect(Bool(false), "channels 0") }
      guard
        case .notAudio(let place, _)? = try failure(Array("This is a text, not a sound.".utf8), "notes.txt")
      else { return #expect(Bool(false), "a text") }
      #expect(place == folder + "/notes.txt")
      #expect(throws: AudioError.fileNotFound(path: folder + "/no.wav")) {
        try AudioFile.read(folder + "/no.wav")
      }
      #expect(throws: AudioError.notAudio(path: folder, reason: "it is a folder")) {
        try AudioFile.read(folder)
      }
    }
  }

  @Test func notANumberIsReportedWithItsPlace() throws {
    try withFolder { folder in
      var wav = WAVBytes()
      wav.format(tag: 3, channels: 2, bits: 32)
      wav.chunk("data", little([Float(0), 0, 0, .nan, 0, .infinity].map(\.bitPattern)))
      let path = try wav.write(folder)
      #expect(throws: AudioError.notFinite(path: path, frame: 1, channel: 1)) { try AudioFile.read(path) }
      #expect(try AudioFile.read(path, frames: 0..<1).frameCount == 1)
    }
  }

  @Test func whatIsNoSoundIsReportedWithItsPlace() throws {
    try withFolder { folder in
      // Full scale of 16 bits in a file of floats is loud, and a sound.
      for (value, isSound) in [(Float(32_768), true), (-1e20, false)] {
        var wav = WAVBytes()
        wav.format(tag: 3, channels: 1, bits: 32)
        wav.chunk("data", little([0, value].map(\.bitPattern)))
        let path = try wav.write(folder)
        if isSound {
          #expect(try AudioFile.read(path).channels == [[0, value]])
        } else {
          #expect(throws: AudioError.outOfScale(path: path, frame: 1, channel: 0, value: value)) {
            try AudioFile.read(path)
          }
        }
      }
    }
  }

  @Test func noHeaderCrashesTheReader() throws {
    // Whatever bytes come, the answer is a buffer or a typed error.
    try withFolder { folder in
      var wav = WAVBytes()
      wav.chunk("LIST", [1, 2, 3])
      wav.format(channels: 2, extensible: true)
      wav.chunk("data", samples)
      var seed: UInt64 = 9
      for _ in 0..<1000 {
        var bytes = wav.bytes
        for _ in 0..<3 {
          seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          bytes[12 + Int(seed >> 33) % (bytes.count - 12)] = UInt8(truncatingIfNeeded: seed >> 20)
        }
        let path = folder + "/f.wav"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        do {
          let source = try WAVSource(ByteStream(path: path))
          _ = try source.read(100)
        } catch is AudioError {}
      }
    }
  }
}
