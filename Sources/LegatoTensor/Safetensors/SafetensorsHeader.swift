/// The checked header of a safetensors file. Nothing in it is trusted before it is checked.
struct SafetensorsHeader {
  var entries: [SafetensorsFile.Entry] = []
  var metadata: [String: String] = [:]

  /// The limit that the format's reference implementation sets too.
  static let maximumByteCount = 100_000_000
  static let metadataName = "__metadata__"

  init(file: String, bytes: UnsafeRawBufferPointer) throws(SafetensorsError) {
    guard bytes.count >= 8 else {
      throw SafetensorsError(
        .truncated, file: file, reason: "the file has \(bytes.count) bytes, too few for a header",
        remedy: SafetensorsError.fetchAgain + ".")
    }
    let declared = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard declared <= UInt64(Self.maximumByteCount) else {
      throw .header(file, "the header claims \(declared) bytes; this is not a safetensors file")
    }
    let length = Int(declared)
    guard length <= bytes.count - 8 else {
      throw SafetensorsError(
        .truncated, file: file,
        reason: "the header claims \(length) bytes, but only \(bytes.count - 8) follow",
        remedy: SafetensorsError.fetchAgain + ".")
    }
    let text = UnsafeRawBufferPointer(rebasing: bytes[8..<8 + length])
    let json: HeaderJSON
    do throws(HeaderJSON.Failure) {
      json = try HeaderJSON.parse(text)
    } catch {
      throw .header(file, "the header is not valid JSON: \(error.reason) (byte \(8 + error.offset))")
    }
    guard case .object(let members) = json else { throw .header(file, "the header is not a JSON object") }

    for member in members {
      if member.key == Self.metadataName {
        metadata = try Self.metadata(member.value, file: file)
      } else {
        entries.append(try Self.entry(member, dataStart: 8 + length, file: file))
      }
    }
    entries.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    try Self.checkCoverage(entries, dataStart: 8 + length, end: bytes.count, file: file)
  }

  private static func metadata(_ json: HeaderJSON, file: String) throws(SafetensorsError) -> [String: String]
  {
    guard case .object(let members) = json else { throw .header(file, "\(metadataName) is not an object") }
    var result: [String: String] = [:]
    for member in members {
      guard case .string(let value) = member.value else {
        throw .header(
          file, "\(metadataName).\(SafetensorsError.shortened(member.key)) is not a string")
      }
      result[member.key] = value
    }
    return result
  }

  private static func entry(
    _ member: HeaderJSON.Member, dataStart: Int, file: String
  ) throws(SafetensorsError) -> SafetensorsFile.Entry {
    let name = member.key
    guard case .object(let fields) = member.value else {
      throw .header(file, tensor: name, "its description is not an object")
    }
    var dtype: SafetensorsDType?
    var shape: [Int]?
    var offsets: [Int]?
    for field in fields {
      switch field.key {
      case "dtype":
        guard case .string(let text) = field.value else {
          throw .header(file, tensor: name, "dtype is not a string")
        }
        guard let known = SafetensorsDType(rawValue: text) else {
          let known = SafetensorsDType.allCases.map(\.rawValue).joined(separator: ", ")
          throw .header(
            file, tensor: name, "unknown dtype \"\(SafetensorsError.shortened(text))\" (known: \(known))")
        }
        dtype = known
      case "shape": shape = try integers(field, of: name, file: file)
      case "data_offsets": offsets = try integers(field, of: name, file: file)
      default:
        throw .header(file, tensor: name, "unknown field \"\(SafetensorsError.shortened(field.key))\"")
      }
    }
    guard let dtype, let shape, let offsets else {
      throw .header(file, tensor: name, "dtype, shape or data_offsets is missing")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw .header(file, tensor: name, "data_offsets is not a pair of growing positions")
    }
    guard let needed = dtype.byteCount(shape: shape) else {
      throw .header(file, tensor: name, "the shape \(shape) has more elements than can be addressed")
    }
    guard needed == offsets[1] - offsets[0] else {
      throw .header(
        file, tensor: name,
        "\(dtype.rawValue) \(shape) needs \(needed) bytes, but data_offsets hold \(offsets[1] - offsets[0])")
    }
    // Checked before the sums: both lie within 100 MB of an Int's range otherwise.
    guard offsets[1] <= Int.max - dataStart else {
      throw .header(file, tensor: name, "data_offsets lie beyond the end of the file")
    }
    return SafetensorsFile.Entry(
      name: name, dtype: dtype, shape: shape, byteRange: dataStart + offsets[0]..<dataStart + offsets[1])
  }

  private static func integers(
    _ field: HeaderJSON.Member, of name: String, file: String
  ) throws(SafetensorsError) -> [Int] {
    guard case .array(let elements) = field.value else {
      throw .header(file, tensor: name, "\(field.key) is not a list")
    }
    var result: [Int] = []
    for element in elements {
      guard case .integer(let value) = element, value >= 0 else {
        throw .header(file, tensor: name, "\(field.key) holds something that is not a whole number from 0 up")
      }
      result.append(value)
    }
    return result
  }

  /// Tensors must tile the data exactly: no overlap, no gap, nothing left over.
  private static func checkCoverage(
    _ entries: [SafetensorsFile.Entry], dataStart: Int, end: Int, file: String
  ) throws(SafetensorsError) {
    var position = dataStart
    for entry in entries {
      guard entry.byteRange.lowerBound == position else {
        let relation = entry.byteRange.lowerBound < position ? "overlaps" : "leaves a gap after"
        throw .header(file, tensor: entry.name, "its data \(relation) the tensor before it")
      }
      position = entry.byteRange.upperBound
    }
    guard position == end else {
      let difference =
        position > end
        ? "\(position - end) bytes are missing at the end" : "\(end - position) bytes too many at the end"
      throw SafetensorsError(
        .truncated, file: file, reason: difference, remedy: SafetensorsError.fetchAgain + ".")
    }
  }
}
