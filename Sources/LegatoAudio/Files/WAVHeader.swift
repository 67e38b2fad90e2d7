/// What stands before the samples of a WAV file.
struct WAVHeader: Equatable {
  var sampleRate: Int
  var channels: Int
  var encoding: SampleEncoding
  /// Bytes from one frame to the next.
  var bytesPerFrame: Int
  /// Bytes of samples; nil when they last until the end of the stream.
  var dataBytes: Int?

  /// Reads up to the first sample.
  ///
  /// Throws ``AudioError/unsupported(path:reason:)`` for encodings other than PCM and float.
  init(_ stream: ByteStream) throws {
    let path = stream.path
    let head = try stream.read(12)
    guard Self.isWAV(head) else {
      if head.isEmpty { throw AudioError.empty(path: path) }
      throw AudioError.notAudio(path: path, reason: "no RIFF header")
    }
    var format: Format?
    var longDataBytes: Int?
    while true {
      let chunk = try stream.read(8)
      guard chunk.count == 8 else {
        throw AudioError.truncated(
          path: path, expectedBytes: stream.position + 8, foundBytes: stream.position)
      }
      let name = Array(chunk[..<4])
      let size = Int(Self.uint32(chunk, 4))
      switch name {
      case Self.tag("data"):
        guard let format else { throw AudioError.notAudio(path: path, reason: "no fmt chunk") }
        sampleRate = format.sampleRate
        channels = format.channels
        encoding = format.encoding
        bytesPerFrame = format.bytesPerFrame
        dataBytes = try Self.dataBytes(stream, declared: size, long: longDataBytes)
        return
      case Self.tag("fmt "):
        format = try Format(try Self.body(stream, size, atMost: 64), path: path)
      case Self.tag("ds64"):
        let body = try Self.body(stream, size, atMost: 28)
        if body.count >= 16 { longDataBytes = Int(clamping: Self.uint64(body, 8)) }
      default:
        try stream.skip(size)
      }
      if size % 2 == 1 { try Self.skipPadding(stream) }
    }
  }

  /// True when `bytes` (12 of them) begin a RIFF, RF64 or BW64 file of WAVE type.
  static func isWAV(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= 12, Array(bytes[8..<12]) == tag("WAVE") else { return false }
    return ["RIFF", "RF64", "BW64"].contains { Array(bytes[..<4]) == tag($0) }
  }

  private static func body(_ stream: ByteStream, _ size: Int, atMost limit: Int) throws -> [UInt8] {
    let body = try stream.read(min(size, limit))
    try stream.skip(size - body.count)
    return body
  }

  /// The samples' size, judged against what the file has.
  ///
  /// Programs that write to a pipe cannot go back to fill in the size and leave 0 or a number near the
  /// largest there is (0xFFFFFFFF by ffmpeg, 0x7FFFF000 by sox, 0x80000000 by arecord).
  private static func dataBytes(_ stream: ByteStream, declared: Int, long: Int?) throws -> Int? {
    let left = stream.length.map { $0 - stream.position }
    if declared == 0xFFFF_FFFF, let long, long > 0 {
      if let left, long > left {
        throw AudioError.truncated(path: stream.path, expectedBytes: long, foundBytes: left)
      }
      return long
    }
    guard let left else { return declared == 0 || declared >= 0x7FFF_0000 ? nil : declared }
    if declared == 0 { return try isChunkList(stream, left) ? 0 : left }
    if declared <= left { return declared }
    if declared >= 0x7FFF_0000 { return left }
    throw AudioError.truncated(path: stream.path, expectedBytes: declared, foundBytes: left)
  }

  /// True when the `left` bytes ahead are other chunks, so that an empty data chunk is what it says.
  private static func isChunkList(_ stream: ByteStream, _ left: Int) throws -> Bool {
    let start = stream.position
    defer { try? stream.seek(to: start) }
    var left = left
    while left > 0 {
      let chunk = try stream.read(8)
      guard chunk.count == 8, chunk[..<4].allSatisfy({ (0x20...0x7E).contains($0) }) else { return false }
      let size = Int(uint32(chunk, 4))
      left -= 8 + size
      if left < 0 { return false }
      try stream.skip(size + (left > 0 ? size % 2 : 0))
      if left > 0 { left -= size % 2 }
    }
    return true
  }

  /// Odd chunks are followed by one byte of padding, which some programs forget.
  private static func skipPadding(_ stream: ByteStream) throws {
    let known = [
      "data", "fmt ", "LIST", "fact", "JUNK", "bext", "cue ", "id3 ", "ID3 ", "PEAK", "smpl", "iXML",
    ]
    let next = try stream.peek(4)
    if !known.contains(where: { tag($0) == next }) { try stream.skip(1) }
  }

  static func tag(_ text: StaticString) -> [UInt8] {
    text.withUTF8Buffer { Array($0) }
  }

  static func tag(_ text: String) -> [UInt8] { Array(text.utf8) }

  static func uint16(_ bytes: [UInt8], _ at: Int) -> UInt16 {
    UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8
  }

  static func uint32(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    UInt32(uint16(bytes, at)) | UInt32(uint16(bytes, at + 2)) << 16
  }

  static func uint64(_ bytes: [UInt8], _ at: Int) -> UInt64 {
    UInt64(uint32(bytes, at)) | UInt64(uint32(bytes, at + 4)) << 32
  }
}

extension WAVHeader {
  /// The fmt chunk.
  private struct Format {
    var sampleRate: Int
    var channels: Int
    var encoding: SampleEncoding
    var bytesPerFrame: Int

    init(_ body: [UInt8], path: String) throws {
      guard body.count >= 16 else {
        throw AudioError.notAudio(path: path, reason: "a fmt chunk that is too short")
      }
      var tag = Int(uint16(body, 0))
      channels = Int(uint16(body, 2))
      sampleRate = Int(uint32(body, 4))
      let blockAlign = Int(uint16(body, 12))
      let bits = Int(uint16(body, 14))
      // WAVE_FORMAT_EXTENSIBLE holds the real tag at the start of its sub-format GUID.
      if tag == 0xFFFE, body.count >= 26 { tag = Int(uint16(body, 24)) }
      guard channels > 0, sampleRate > 0 else {
        throw AudioError.notAudio(
          path: path, reason: "a header with \(channels) channels at \(sampleRate) Hz")
      }
      let container = blockAlign % channels == 0 && blockAlign > 0 ? blockAlign / channels : (bits + 7) / 8
      switch (tag, container) {
      case (1, 1): encoding = .unsigned8
      case (1, 2): encoding = .signed16
      case (1, 3): encoding = .signed24
      case (1, 4): encoding = .signed32
      case (3, 4): encoding = .float32
      case (3, 8): encoding = .float64
      default:
        throw AudioError.unsupported(
          path: path,
          reason: "a WAV file in encoding \(tag) with \(bits) bits, which is neither PCM nor float")
      }
      bytesPerFrame = container * channels
    }
  }
}
