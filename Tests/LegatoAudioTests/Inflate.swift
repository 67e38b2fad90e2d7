@testable import LegatoAudio

struct BadStream: Error, CustomStringConvertible {
  let description: String
}

/// Decodes zlib streams of fixed-code blocks, from the standard (RFC 1951) and not from our compressor.
func inflate(_ stream: [UInt8]) throws -> [UInt8] {
  guard stream.count > 6, stream[0] & 15 == 8, (Int(stream[0]) << 8 | Int(stream[1])) % 31 == 0 else {
    throw BadStream(description: "zlib header")
  }
  var bit = 16
  func next(_ count: Int) throws -> Int {
    var value = 0
    for index in 0..<count {
      guard bit / 8 < stream.count - 4 else { throw BadStream(description: "ends early") }
      value |= Int(stream[bit / 8] >> UInt8(bit % 8) & 1) << index
      bit += 1
    }
    return value
  }
  func code(_ length: Int, from start: Int = 0) throws -> Int {
    try (0..<length).reduce(start) { value, _ in value << 1 | (try next(1)) }
  }
  func symbol() throws -> Int {
    let seven = try code(7)
    if seven <= 0b0010111 { return 256 + seven }
    let eight = try code(1, from: seven)
    if (0x30...0xBF).contains(eight) { return eight - 0x30 }
    if (0xC0...0xC7).contains(eight) { return 280 + eight - 0xC0 }
    let nine = try code(1, from: eight)
    guard (0x190...0x1FF).contains(nine) else { throw BadStream(description: "code") }
    return 144 + nine - 0x190
  }
  let lengths = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
  ]
  let lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
  let distances = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
    4097, 6145,
    8193, 12289, 16385, 24577,
  ]
  var output: [UInt8] = []
  var last = false
  while !last {
    last = try next(1) == 1
    guard try next(2) == 1 else { throw BadStream(description: "block type") }
    while true {
      let symbol = try symbol()
      if symbol == 256 { break }
      if symbol < 256 {
        output.append(UInt8(symbol))
        continue
      }
      let length = lengths[symbol - 257] + (try next(lengthBits[symbol - 257]))
      let index = try code(5)
      guard index < 30 else { throw BadStream(description: "distance code") }
      let distance = distances[index] + (try next(max(0, index / 2 - 1)))
      guard distance <= output.count, distance <= 32768 else { throw BadStream(description: "distance") }
      for _ in 0..<length { output.append(output[output.count - distance]) }
    }
  }
  let sum = stream.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
  guard sum == Deflate.adler32(output) else { throw BadStream(description: "Adler-32") }
  guard (bit + 7) / 8 == stream.count - 4 else { throw BadStream(description: "bytes left over") }
  return output
}

/// Decodes 8-bit RGB and palette PNGs with the filters "none" and "up", checking every chunk.
func decodePNG(_ file: [UInt8]) throws -> (width: Int, height: Int, pixels: [UInt32]) {
  guard file.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else {
    throw BadStream(description: "signature")
  }
  func number(_ at: Int) -> Int { file[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
  var at = 8
  var chunks: [String: [UInt8]] = [:]
  var order: [String] = []
  while at + 12 <= file.count {
    let size = number(at)
    guard at + 12 + size <= file.count else { throw BadStream(description: "chunk size") }
    let type = String(decoding: file[at + 4..<at + 8], as: UTF8.self)
    guard number(at + 8 + size) == Int(PNG.crc32(file[at + 4..<at + 8 + size])) else {
      throw BadStream(description: "CRC of \(type)")
    }
    chunks[type] = Array(file[at + 8..<at + 8 + size])
    order.append(type)
    at += 12 + size
  }
  guard at == file.count, order.first == "IHDR", order.last == "IEND", let head = chunks["IHDR"],
    let data = chunks["IDAT"]
  else { throw BadStream(description: "chunks \(order)") }
  func headNumber(_ at: Int) -> Int { head[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
  let (width, height) = (headNumber(0), headNumber(4))
  let palette = chunks["PLTE"]
  guard head[8] == 8, head[9] == (palette == nil ? 2 : 3) else { throw BadStream(description: "colour type") }
  let bytesPerPixel = palette == nil ? 3 : 1
  let rows = try inflate(data)
  let stride = width * bytesPerPixel + 1
  guard rows.count == stride * height else { throw BadStream(description: "size of data") }
  var above = [UInt8](repeating: 0, count: stride - 1)
  var pixels: [UInt32] = []
  for row in 0..<height {
    var line = Array(rows[row * stride + 1..<(row + 1) * stride])
    switch rows[row * stride] {
    case 0: break
    case 2: for index in line.indices { line[index] &+= above[index] }
    default: throw BadStream(description: "filter")
    }
    above = line
    for column in 0..<width {
      let rgb: [UInt8]
      if let palette {
        let index = 3 * Int(line[column])
        guard index + 3 <= palette.count else { throw BadStream(description: "palette index") }
        rgb = Array(palette[index..<index + 3])
      } else {
        rgb = Array(line[3 * column..<3 * column + 3])
      }
      pixels.append(rgb.reduce(0) { $0 << 8 | UInt32($1) })
    }
  }
  return (width, height, pixels)
}
