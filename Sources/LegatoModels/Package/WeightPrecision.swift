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

  /// What stays bf16, because kernels of int8 and int4 round their inputs, too: what writes spectra, whose quiet bands would drown in
  /// that, and three small matrices of the sampler, through which half of the error would come (of a mixture the only one).
  private static let finest = ["decoder.head.", "sampler.in.", "sampler.condition.", "sampler.out."]

  /// Matrices that stay int8 where the others become int4: small ones, or hardly in use while a package plays, and most of the error
  /// would be theirs.
  private static let sensitive = [
    "backbone.in.", "backbone.short.in.", "sampler.time.", "sampler.span.", "sampler.modulation.",
    "encoder.", "decoder.in.", "decoder.unfold.", "decoder.bottleneck.",
  ]

  /// The format that a weight of a model or codec gets.
  public func format(of weight: Weight) -> WeightFormat {
    func isOne(of names: [String]) -> Bool { names.contains { weight.name.hasPrefix($0) } }
    return switch self {
    case .float32: .float32
    case .bfloat16,
      .int8 where isOne(of: Self.finest), .int4 where isOne(of: Self.finest):
      weight.storedFormat(for: .bfloat16)
    case .int4 where !isOne(of: Self.sensitive): weight.storedFormat(for: Self.int4Format)
    case .int8, .int4: weight.storedFormat(for: Self.int8Format)
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
