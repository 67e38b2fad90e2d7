/// A strict JSON reader for safetensors headers. It exists because the header comes from files that
/// nobody vouches for: it refuses duplicate keys, deep nesting, and text that is not UTF-8, and it
/// keeps integers exact.
enum HeaderJSON: Equatable {
  case object([Member])
  case array([HeaderJSON])
  case string(String)
  case integer(Int)
  /// Any other number: fractions, exponents, integers beyond 64 bits.
  case otherNumber(String)
  case bool(Bool)
  case null

  struct Member: Equatable {
    var key: String
    var value: HeaderJSON
  }

  struct Failure: Error, Equatable {
    var offset: Int
    var reason: String
  }

  static let maximumDepth = 8

  static func parse(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> HeaderJSON {
    var parser = Parser(bytes: bytes)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == bytes.count else { throw parser.failure("something follows the JSON value") }
    return value
  }
}

extension HeaderJSON {
  fileprivate struct Parser {
    let bytes: UnsafeRawBufferPointer
    var position = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func failure(_ reason: String) -> Failure { Failure(offset: position, reason: reason) }

    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipSpace() {
      while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
      guard current == byte else { return false }
      position += 1
      return true
    }

    mutating func value(depth: Int) throws(Failure) -> HeaderJSON {
      guard depth <= HeaderJSON.maximumDepth else {
        throw failure("nested more than \(HeaderJSON.maximumDepth) deep")
      }
      skipSpace()
      switch current {
      case UInt8(ascii: "{"): return try object(depth: depth)
      case UInt8(ascii: "["): return try array(depth: depth)
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      case let byte?
      where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
        return try number()
      case nil: throw failure("the JSON ends too early")
      default: throw failure("a character that is not JSON")
      }
    }

    mutating func word(_ text: String, _ value: HeaderJSON) throws(Failure) -> HeaderJSON {
      for byte in text.utf8 {
        guard take(byte) else { throw failure("a word that is not JSON") }
      }
      return value
    }

    mutating func object(depth: Int) throws(Failure) -> HeaderJSON {
      position += 1
      var members: [Member] = []
      var seen: Set<String> = []
      skipSpace()
      if take(UInt8(ascii: "}")) { return .object([]) }
      while true {
        skipSpace()
        guard current == UInt8(ascii: "\"") else { throw failure("an object's key must be a string") }
        let key = try string()
        guard seen.insert(key).inserted else {
          throw failure("the name \"\(SafetensorsError.shortened(key))\" occurs twice")
        }
        skipSpace()
        guard take(UInt8(ascii: ":")) else { throw failure("a colon is missing") }
        members.append(Member(key: key, value: try value(depth: depth + 1)))
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        guard take(UInt8(ascii: ",")) else { throw failure("a comma or closing brace is missing") }
      }
    }

    mutating func array(depth: Int) throws(Failure) -> HeaderJSON {
      position += 1
      var elements: [HeaderJSON] = []
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array([]) }
      while true {
        elements.append(try value(depth: depth + 1))
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        guard take(UInt8(ascii: ",")) else { throw failure("a comma or closing bracket is missing") }
      }
    }

    mutating func digits() -> Int {
      let start = position
      while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
      return position - start
    }

    mutating func number() throws(Failure) -> HeaderJSON {
      let start = position
      _ = take(UInt8(ascii: "-"))
      let first = current
      let count = digits()
      guard count > 0, count == 1 || first != UInt8(ascii: "0") else { throw failure("a malformed number") }
      var isInteger = true
      if take(UInt8(ascii: ".")) {
        isInteger = false
        guard digits() > 0 else { throw failure("a malformed number") }
      }
      if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
        isInteger = false
        if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
        guard digits() > 0 else { throw failure("a malformed number") }
      }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      if isInteger, let value = Int(text) { return .integer(value) }
      return .otherNumber(text)
    }

    mutating func string() throws(Failure) -> String {
      position += 1
      let start = position
      // Nearly all strings have no escapes and are taken as they stand.
      while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
        position += 1
      }
      var text = Array(bytes[start..<position])
      while true {
        guard let byte = current else { throw failure("a string does not end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""):
          guard let valid = String(validating: text, as: UTF8.self) else {
            throw Failure(offset: start, reason: "a string is not UTF-8")
          }
          return valid
        case UInt8(ascii: "\\"): try escape(into: &text)
        case 0..<0x20: throw failure("a control character inside a string")
        default: text.append(byte)
        }
      }
    }

    mutating func escape(into text: inout [UInt8]) throws(Failure) {
      guard let byte = current else { throw failure("a string does not end") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0C)
      case UInt8(ascii: "n"): text.append(0x0A)
      case UInt8(ascii: "r"): text.append(0x0D)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "u"):
        var code = try hexadecimal()
        if (0xD800..<0xDC00).contains(code), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
          let low = try hexadecimal()
          guard (0xDC00..<0xE000).contains(low) else { throw failure("half a surrogate pair") }
          code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
        text.append(contentsOf: String(Character(scalar)).utf8)
      default: throw failure("an unknown escape in a string")
      }
    }

    mutating func hexadecimal() throws(Failure) -> UInt32 {
      var code: UInt32 = 0
      for _ in 0..<4 {
        guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
          throw failure("a malformed \\u escape")
        }
        position += 1
        code = code << 4 | UInt32(digit)
      }
      return code
    }
  }
}
