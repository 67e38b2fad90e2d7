/// The few wire types of protocol buffers that TensorBoard's events need.
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  private mutating func tag(_ field: Int, wireType: UInt64) { varint(UInt64(field) << 3 | wireType) }

  mutating func add(_ field: Int, integer: Int) {
    tag(field, wireType: 0)
    varint(UInt64(bitPattern: Int64(integer)))
  }

  mutating func add(_ field: Int, double: Double) {
    tag(field, wireType: 1)
    withUnsafeBytes(of: double.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func add(_ field: Int, float: Float) {
    tag(field, wireType: 5)
    withUnsafeBytes(of: float.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func add(_ field: Int, bytes content: some Collection<UInt8>) {
    tag(field, wireType: 2)
    varint(UInt64(content.count))
    bytes.append(contentsOf: content)
  }

  mutating func add(_ field: Int, string: String) { add(field, bytes: Array(string.utf8)) }

  mutating func add(_ field: Int, message: ProtobufMessage) { add(field, bytes: message.bytes) }
}
