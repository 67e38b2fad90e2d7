/// A small zlib compressor (RFC 1950, RFC 1951): LZ77 with hash chains and the fixed Huffman codes.
///
/// Pictures are mostly flat or made of few colours, where this comes close to what a full one would do.
enum Deflate {
  /// `bytes` as one zlib stream.
  static func zlib(_ bytes: [UInt8]) -> [UInt8] {
    var writer = BitWriter()
    writer.bytes = [0x78, 0x01]
    writer.append(0b011, bits: 3)  // the last block; fixed codes
    compress(bytes, &writer)
    writer.appendSymbol(256)
    writer.flush()
    let sum = adler32(bytes)
    writer.bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) }
    return writer.bytes
  }

  static func adler32(_ bytes: [UInt8]) -> UInt32 {
    var a: UInt32 = 1
    var b: UInt32 = 0
    var start = 0
    while start < bytes.count {
      let end = min(start + 5552, bytes.count)  // the longest run that cannot overflow
      for byte in bytes[start..<end] {
        a += UInt32(byte)
        b += a
      }
      a %= 65521
      b %= 65521
      start = end
    }
    return b << 16 | a
  }

  private static let minimumMatch = 3
  private static let maximumMatch = 258
  private static let windowSize = 32768
  private static let hashBits = 15
  /// Earlier places looked at for each position.
  private static let chainLength = 24

  private static func compress(_ bytes: [UInt8], _ writer: inout BitWriter) {
    var head = [Int32](repeating: -1, count: 1 << hashBits)
    var previous = [Int32](repeating: -1, count: windowSize)
    func hash(_ at: Int) -> Int {
      let value = UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16
      return Int((value &* 0x9E37_79B1) >> (32 - UInt32(hashBits)))
    }
    var position = 0
    while position < bytes.count {
      var best = 0
      var distance = 0
      let limit = min(maximumMatch, bytes.count - position)
      if limit >= minimumMatch {
        var candidate = Int(head[hash(position)])
        var tries = chainLength
        while candidate >= 0, position - candidate <= windowSize - 1, tries > 0 {
          if best == 0 || bytes[candidate + best] == bytes[position + best] {
            var length = 0
            while length < limit, bytes[candidate + length] == bytes[position + length] { length += 1 }
            if length > best {
              best = length
              distance = position - candidate
              if length == limit { break }
            }
          }
          let next = Int(previous[candidate % windowSize])
          if next >= candidate { break }
          candidate = next
          tries -= 1
        }
      }
      let step = best >= minimumMatch ? best : 1
      if step > 1 {
        writer.appendMatch(length: best, distance: distance)
      } else {
        writer.appendSymbol(Int(bytes[position]))
      }
      for at in position..<position + step where at + minimumMatch <= bytes.count {
        let slot = hash(at)
        previous[at % windowSize] = head[slot]
        head[slot] = Int32(at)
      }
      position += step
    }
  }
}

/// Bits in deflate's order, least significant first, Huffman codes most significant first.
private struct BitWriter {
  var bytes: [UInt8] = []
  private var pending: UInt64 = 0
  private var count = 0

  /// First length and number of extra bits of the length symbols 257...284; 285 is 258 alone.
  private static let lengths = ranges(groups: [8, 4, 4, 4, 4, 4], firstExtra: 0, start: 3)
  /// First distance and number of extra bits of the distance symbols 0...29.
  private static let distances = ranges(
    groups: [4] + Array(repeating: 2, count: 13), firstExtra: 0, start: 1)

  private static func ranges(groups: [Int], firstExtra: Int, start: Int) -> [(first: Int, extra: Int)] {
    var result: [(first: Int, extra: Int)] = []
    var first = start
    for (extra, size) in groups.enumerated() {
      for _ in 0..<size {
        result.append((first, extra + firstExtra))
        first += 1 << extra
      }
    }
    return result
  }

  mutating func append(_ value: Int, bits: Int) {
    pending |= UInt64(value) << UInt64(count)
    count += bits
    while count >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: pending))
      pending >>= 8
      count -= 8
    }
  }

  mutating func appendSymbol(_ symbol: Int) {
    switch symbol {
    case ..<144: appendCode(0x30 + symbol, bits: 8)
    case ..<256: appendCode(0x190 + symbol - 144, bits: 9)
    case ..<280: appendCode(symbol - 256, bits: 7)
    default: appendCode(0xC0 + symbol - 280, bits: 8)
    }
  }

  mutating func appendMatch(length: Int, distance: Int) {
    if length == 258 {
      appendSymbol(285)
    } else {
      let index = (Self.lengths.lastIndex { $0.first <= length }) ?? 0
      appendSymbol(257 + index)
      append(length - Self.lengths[index].first, bits: Self.lengths[index].extra)
    }
    let index = (Self.distances.lastIndex { $0.first <= distance }) ?? 0
    appendCode(index, bits: 5)
    append(distance - Self.distances[index].first, bits: Self.distances[index].extra)
  }

  mutating func flush() {
    if count > 0 { append(0, bits: 8 - count) }
  }

  private mutating func appendCode(_ code: Int, bits: Int) {
    var reversed = 0
    for bit in 0..<bits where code >> bit & 1 == 1 { reversed |= 1 << (bits - 1 - bit) }
    append(reversed, bits: bits)
  }
}
