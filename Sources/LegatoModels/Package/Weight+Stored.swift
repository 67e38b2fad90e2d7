import LegatoTensor

extension Weight {
  /// The format that this weight gets where `wanted` is asked for.
  ///
  /// Large matrices get it; everything small stays f32, where it costs nothing and matters most. Where the columns do not divide into
  /// groups of the wanted size, the largest multiple of 32 below it that divides them is taken, and bf16 where there is none.
  public func storedFormat(for wanted: WeightFormat) -> WeightFormat {
    guard shape.count == 2, count >= 4096 else { return .float32 }
    guard let largest = wanted.group else { return wanted }
    if shape[1] % largest == 0 { return wanted }
    let smaller = stride(from: largest / 32 * 32, to: 0, by: -32).first { shape[1] % $0 == 0 }
    switch (wanted, smaller) {
    case (.int8, let group?): return .int8(group: group)
    case (.int4, let group?): return .int4(group: group)
    default: return .bfloat16
    }
  }

  /// The weight in the format that ``storedFormat(for:)`` says.
  public func stored(as format: WeightFormat) -> Weight { converted(to: storedFormat(for: format)) }
}
