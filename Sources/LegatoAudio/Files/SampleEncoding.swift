/// How one sample of a WAV file is stored; little-endian.
enum SampleEncoding: Equatable {
  case unsigned8, signed16, signed24, signed32, float32, float64

  var bytes: Int {
    switch self {
    case .unsigned8: 1
    case .signed16: 2
    case .signed24: 3
    case .signed32, .float32: 4
    case .float64: 8
    }
  }

  /// Interleaved bytes to planar samples. `bytes` holds whole frames.
  func decode(_ bytes: [UInt8], channels: Int) -> [[Float]] {
    let frames = bytes.count / (self.bytes * channels)
    return bytes.withUnsafeBytes { raw in
      (0..<channels).map { channel in
        switch self {
        case .unsigned8:
          Self.plane(frames, channel, channels) { (Float(raw[$0]) - 128) / 128 }
        case .signed16:
          Self.plane(frames, channel, channels) {
            let value = Int16(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 2, as: Int16.self))
            return Float(value) / 32768
          }
        case .signed24:
          Self.plane(frames, channel, channels) {
            let low = UInt32(raw[$0 * 3]) | UInt32(raw[$0 * 3 + 1]) << 8 | UInt32(raw[$0 * 3 + 2]) << 16
            return Float(Int32(bitPattern: low << 8) >> 8) / 8_388_608
          }
        case .signed32:
          Self.plane(frames, channel, channels) {
            let value = Int32(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self))
            return Float(Double(value) / 2_147_483_648)
          }
        case .float32:
          Self.plane(frames, channel, channels) {
            Float(
              bitPattern: UInt32(
                littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
          }
        case .float64:
          Self.plane(frames, channel, channels) {
            Float(
              Double(
                bitPattern: UInt64(
                  littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))))
          }
        }
      }
    }
  }

  @inline(__always)
  private static func plane(
    _ frames: Int, _ channel: Int, _ channels: Int, _ sample: (Int) -> Float
  ) -> [Float] {
    [Float](unsafeUninitializedCapacity: frames) { buffer, filled in
      var index = channel
      for frame in 0..<frames {
        buffer[frame] = sample(index)
        index += channels
      }
      filled = frames
    }
  }
}
