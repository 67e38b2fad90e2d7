/// A small PNG encoder (ISO/IEC 15948): 8-bit RGB, or a palette when there are at most 256 colours.
enum PNG {
  /// - Parameter pixels: `0xRRGGBB`, row by row.
  static func encode(width: Int, height: Int, pixels: [UInt32]) -> [UInt8] {
    precondition(width > 0 && height > 0 && pixels.count == width * height, "PNG: \(pixels.count) pixels")
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    var palette: [UInt32] = []
    var indices: [UInt32: UInt8] = [:]
    for pixel in pixels where indices[pixel] == nil {
      if palette.count == 256 {
        palette = []
        break
      }
      indices[pixel] = UInt8(palette.count)
      palette.append(pixel)
    }
    let isIndexed = !palette.isEmpty
    append("IHDR", bigEndian(width) + bigEndian(height) + [8, isIndexed ? 3 : 2, 0, 0, 0], to: &file)
    if isIndexed { append("PLTE", palette.flatMap(rgb), to: &file) }
    let rows =
      isIndexed
      ? indexed(width, height, pixels) { indices[$0] ?? 0 } : filtered(width, height, pixels)
    append("IDAT", Deflate.zlib(rows), to: &file)
    append("IEND", [], to: &file)
    return file
  }

  static func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(0xFFFF_FFFF) { crc, byte in crcTable[Int((crc ^ UInt32(byte)) & 0xFF)] ^ crc >> 8 }
  }

  private static let crcTable: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
  }

  private static func append(_ type: String, _ body: [UInt8], to file: inout [UInt8]) {
    let typed = Array(type.utf8) + body
    file += bigEndian(body.count) + typed + bigEndian(Int(crc32(typed)))
  }

  private static func bigEndian(_ value: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private static func rgb(_ pixel: UInt32) -> [UInt8] {
    [UInt8(pixel >> 16 & 0xFF), UInt8(pixel >> 8 & 0xFF), UInt8(pixel & 0xFF)]
  }

  /// Palette rows, unfiltered: differences of indices mean nothing.
  private static func indexed(
    _ width: Int, _ height: Int, _ pixels: [UInt32], _ index: (UInt32) -> UInt8
  ) -> [UInt8] {
    var rows: [UInt8] = []
    rows.reserveCapacity((width + 1) * height)
    for row in 0..<height {
      rows.append(0)
      for pixel in pixels[row * width..<(row + 1) * width] { rows.append(index(pixel)) }
    }
    return rows
  }

  /// RGB rows, each the difference from the row above ("up"), which suits charts and gradients.
  private static func filtered(_ width: Int, _ height: Int, _ pixels: [UInt32]) -> [UInt8] {
    var rows: [UInt8] = []
    rows.reserveCapacity((3 * width + 1) * height)
    var above = [UInt8](repeating: 0, count: 3 * width)
    for row in 0..<height {
      let current = pixels[row * width..<(row + 1) * width].flatMap(rgb)
      rows.append(2)
      for (byte, up) in zip(current, above) { rows.append(byte &- up) }
      above = current
    }
    return rows
  }
}
