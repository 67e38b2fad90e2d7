import LegatoTensor

/// Writes a WAV file, or a WAV stream to standard output, chunk by chunk.
///
/// A file is written aside in its own folder and renamed by ``finish()``; past 4 GB it becomes RF64 (EBU
/// Tech 3306).
/// Standard output (path "-"), devices and named pipes get a header of unknown length, so a player starts at
/// once.
public final class WAVWriter {
  /// How samples are stored.
  public enum Format: String, Sendable, CaseIterable {
    /// 16-bit integers, rounded to nearest.
    case pcm16
    /// 24-bit integers, rounded to nearest.
    case pcm24
    /// 32-bit floats, exactly what was given.
    case float32

    var bytes: Int {
      switch self {
      case .pcm16: 2
      case .pcm24: 3
      case .float32: 4
      }
    }
  }

  /// The path as given.
  public let path: String
  /// Frames appended so far.
  public private(set) var framesWritten = 0
  /// Samples beyond full scale that an integer format had to clip.
  public private(set) var clippedSamples = 0

  private let sampleRate: Int
  private let channels: Int
  private let format: Format
  private let output: DurableFile
  private let rf64Threshold: Int
  private var dataBytes = 0

  /// Opens the output and writes the header.
  ///
  /// Throws ``AudioError``: cannot write, disk full, invalid rate or channel count.
  public convenience init(
    _ path: String, sampleRate: Int, channels: Int, format: Format = .pcm16
  ) throws {
    try self.init(
      path, sampleRate: sampleRate, channels: channels, format: format, rf64Threshold: 0xFFFF_FFFF)
  }

  /// - Parameter rf64Threshold: largest size of the RIFF chunk before the file becomes RF64.
  init(_ path: String, sampleRate: Int, channels: Int, format: Format, rf64Threshold: Int) throws {
    guard (1...Int(UInt32.max)).contains(sampleRate) else {
      throw AudioError.invalidArgument(name: "sample rate", reason: "\(sampleRate) Hz cannot be written")
    }
    guard (1...1024).contains(channels) else {
      throw AudioError.invalidArgument(
        name: "channels", reason: "\(channels) cannot be written; use 1 to 1024")
    }
    self.path = path
    self.sampleRate = sampleRate
    self.channels = channels
    self.format = format
    self.rf64Threshold = rf64Threshold
    output = try AudioError.writing { try DurableFile(path: path) }
    try write(header(complete: false))
  }

  /// Appends planar samples `[channel][frame]`, full scale ±1. On a stream they are out when this returns.
  ///
  /// Throws ``AudioError``: disk full, output closed, NaN samples. The file aside is then gone. Traps where the channels are not the
  /// writer's, or not of one length.
  public func append(_ chunk: [[Float]]) throws {
    precondition(
      chunk.count == channels && chunk.allSatisfy { $0.count == chunk[0].count },
      "WAVWriter.append: \(chunk.count) channels of \(chunk.map(\.count)) frames, \(channels) channels wanted"
    )
    for (channel, samples) in chunk.enumerated() {
      if let frame = samples.firstIndex(where: { !$0.isFinite }) {
        cancel()
        throw AudioError.notFinite(path: path, frame: framesWritten + frame, channel: channel)
      }
    }
    let bytes = encode(chunk)
    try write(bytes)
    dataBytes += bytes.count
    framesWritten += chunk[0].count
  }

  /// Appends a buffer of the writer's channel count.
  public func append(_ buffer: AudioBuffer) throws {
    try append(buffer.channels)
  }

  /// Completes the file: sizes are filled in and it is renamed into place.
  public func finish() throws {
    if output.isSeekable {
      if dataBytes % 2 == 1 { try write([0]) }
      try write(header(complete: true), at: 0)
    }
    try AudioError.writing { try output.commit() }
  }

  /// Gives up: what was written aside is removed. Does nothing after ``finish()``.
  public func cancel() {
    output.cancel()
  }

  private func write(_ bytes: [UInt8], at offset: Int? = nil) throws {
    try AudioError.writing { try output.write(bytes, at: offset) }
  }

  private func encode(_ chunk: [[Float]]) -> [UInt8] {
    let frames = chunk[0].count
    let channels = self.channels
    let width = format.bytes
    let count = frames * channels * width
    var clipped = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      let raw = UnsafeMutableRawBufferPointer(buffer)
      for (channel, samples) in chunk.enumerated() {
        var offset = channel * width
        for sample in samples {
          switch format {
          case .pcm16:
            let value = Self.integer(sample, fullScale: 32768, &clipped)
            raw.storeBytes(of: Int16(value).littleEndian, toByteOffset: offset, as: Int16.self)
          case .pcm24:
            let value = Self.integer(sample, fullScale: 8_388_608, &clipped)
            raw[offset] = UInt8(truncatingIfNeeded: value)
            raw[offset + 1] = UInt8(truncatingIfNeeded: value >> 8)
            raw[offset + 2] = UInt8(truncatingIfNeeded: value >> 16)
          case .float32:
            raw.storeBytes(of: sample.bitPattern.littleEndian, toByteOffset: offset, as: UInt32.self)
          }
          offset += width * channels
        }
      }
      filled = count
    }
    clippedSamples += clipped
    return bytes
  }

  /// Nearest integer, ties to even; +1 itself is one step beyond the largest and counts as clipped only past
  /// it.
  @inline(__always)
  private static func integer(_ sample: Float, fullScale: Float, _ clipped: inout Int) -> Int32 {
    let scaled = (sample * fullScale).rounded(.toNearestOrEven)
    if scaled > fullScale || scaled < -fullScale { clipped += 1 }
    return Int32(min(max(scaled, -fullScale), fullScale - 1))
  }

  private func header(complete: Bool) -> [UInt8] {
    let extensible = channels > 2
    var body: [UInt8] = []
    let tag: UInt16 = format == .float32 ? 3 : 1
    let fmtSize = extensible ? 40 : format == .float32 ? 18 : 16
    let factBytes = format == .float32 ? 12 : 0
    let reserved = output.isSeekable ? 36 : 0
    let headerBytes = 12 + reserved + 8 + fmtSize + factBytes + 8
    let riffSize = headerBytes - 8 + dataBytes + dataBytes % 2
    let known = output.isSeekable
    let long = known && complete && riffSize > rf64Threshold
    func size(_ value: Int) -> UInt32 { known && !long ? UInt32(clamping: value) : .max }

    body.append(text: long ? "RF64" : "RIFF")
    body.append(size(riffSize))
    body.append(text: "WAVE")
    if reserved > 0 {
      body.append(text: long ? "ds64" : "JUNK")
      body.append(UInt32(28))
      body.append(UInt64(long ? riffSize : 0))
      body.append(UInt64(long ? dataBytes : 0))
      body.append(UInt64(long ? framesWritten : 0))
      body.append(UInt32(0))
    }
    body.append(text: "fmt ")
    body.append(UInt32(fmtSize))
    body.append(extensible ? 0xFFFE : tag)
    body.append(UInt16(channels))
    body.append(UInt32(sampleRate))
    body.append(UInt32(clamping: sampleRate * channels * format.bytes))
    body.append(UInt16(channels * format.bytes))
    body.append(UInt16(format.bytes * 8))
    if fmtSize >= 18 { body.append(UInt16(fmtSize - 18)) }
    if extensible {
      body.append(UInt16(format.bytes * 8))
      body.append(Self.channelMask(channels))
      body.append(tag)
      body += [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]
    }
    if factBytes > 0 {
      body.append(text: "fact")
      body.append(UInt32(4))
      body.append(size(framesWritten))
    }
    body.append(text: "data")
    body.append(size(dataBytes))
    return body
  }

  /// Speaker positions of the usual layouts; 0 (unspecified) for others.
  private static func channelMask(_ channels: Int) -> UInt32 {
    switch channels {
    case 3: 0x7
    case 4: 0x33
    case 5: 0x37
    case 6: 0x3F
    case 8: 0x63F
    default: 0
    }
  }
}

extension [UInt8] {
  mutating func append(text: String) { self += Array(text.utf8) }

  mutating func append<Integer: FixedWidthInteger>(_ value: Integer) where Integer: UnsignedInteger {
    Swift.withUnsafeBytes(of: value.littleEndian) { self += $0 }
  }
}
