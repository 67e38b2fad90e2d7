import LegatoTensor

/// What the matrices of a package can be stored as, as people name it.
public enum WeightPrecision: String, CaseIterable, Sendable, Codable {
  case float32 = "f32"
  case bfloat16 = "bf16"
  case int8
  case int4

  public static let int8Format = WeightFormat.int8(group: 64)
  public static let int4Format = WeightFormat.int4(group: 32)

  /// The precision of a format, whatever its groups.
  public init(_ format: WeightFormat) {
    switch format {
    case .float32: self = .float32
    case .bfloat16: self = .bfloat16
    case .int8: self = .int8
    case .int4: self = .int4
    }
  }

  /// The format that a weight of a model or codec gets.
  public func format(of weight: Weight) -> WeightFormat {
    switch self {
    case .float32: .float32
    case .bfloat16: weight.storedFormat(for: .bfloat16)
    case .int8: weight.storedFormat(for: Self.int8Format)
    case .int4: weight.storedFormat(for: Self.int4Format)
    }
  }

  /// Bits of a value, scales aside.
  public var bits: Int {
    switch self {
    case .float32: 32
    case .bfloat16: 16
    case .int8: 8
    case .int4: 4
    }
  }
}
