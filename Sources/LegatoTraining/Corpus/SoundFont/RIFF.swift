import Foundation

/// Chunks of a RIFF file, and the little-endian numbers in them.
enum RIFF {
  struct Chunk {
    /// Four characters.
    var name: String
    var content: Data
  }

  /// The chunks that fill `data` one after another; nil where one reaches beyond its end.
  static func chunks(_ data: Data) -> [Chunk]? {
    var rest = data
    var chunks: [Chunk] = []
    while rest.count >= 8 {
      let name = String(decoding: rest.prefix(4), as: UTF8.self)
      let size = Int(number(rest, at: 4, bytes: 4))
      guard size <= rest.count - 8 else { return nil }
      let start = rest.startIndex + 8
      chunks.append(Chunk(name: name, content: rest[start..<start + size]))
      rest = rest[min(rest.endIndex, start + size + size % 2)...]
    }
    return rest.isEmpty ? chunks : nil
  }

  static func number(_ data: Data, at offset: Int, bytes: Int) -> UInt32 {
    (0..<bytes).reversed().reduce(0) { $0 << 8 | UInt32(data[data.startIndex + offset + $1]) }
  }

  static func bytes(_ number: UInt32, count: Int = 4) -> Data {
    Data((0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * UInt32($0))) })
  }

  /// A chunk's bytes; `form` is what begins the content of lists.
  static func chunk(_ name: String, form: String = "", _ content: Data) -> Data {
    var bytes = Data(name.utf8) + Self.bytes(UInt32(form.utf8.count + content.count)) + Data(form.utf8)
    bytes.append(content)
    if content.count % 2 == 1 { bytes.append(0) }
    return bytes
  }
}
