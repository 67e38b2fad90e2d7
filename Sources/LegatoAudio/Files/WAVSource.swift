/// Legato's own WAV decoder.
final class WAVSource: AudioSource {
  let header: WAVHeader
  private let stream: ByteStream
  private let start: Int

  init(_ stream: ByteStream) throws {
    self.stream = stream
    header = try WAVHeader(stream)
    start = stream.position
  }

  var sampleRate: Int { header.sampleRate }
  var channels: Int { header.channels }
  var frames: Int? { header.dataBytes.map { $0 / header.bytesPerFrame } }
  var framesAreExact: Bool { true }
  var format: String { "WAV \(header.encoding)" }

  func read(_ count: Int) throws -> [[Float]] {
    let position = stream.position - start
    var wanted = count * header.bytesPerFrame
    if let total = header.dataBytes {
      let whole = total - total % header.bytesPerFrame
      wanted = min(wanted, max(0, whole - position))
    }
    var bytes = try stream.read(wanted)
    if let total = header.dataBytes, bytes.count < wanted {
      throw AudioError.truncated(
        path: stream.path, expectedBytes: total, foundBytes: position + bytes.count)
    }
    bytes.removeLast(bytes.count % header.bytesPerFrame)
    return header.encoding.decode(bytes, channels: header.channels)
  }

  func seek(to frame: Int) throws {
    let target = start + frame * header.bytesPerFrame
    if stream.length != nil {
      try stream.seek(to: target)
    } else if target >= stream.position {
      try stream.skip(target - stream.position)
    } else {
      throw AudioError.cannotRead(
        path: stream.path, reason: "a pipe cannot be read again from an earlier point")
    }
  }
}
