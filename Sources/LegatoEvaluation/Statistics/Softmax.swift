import LegatoNN

/// Probabilities of classes from logits, in Float64.
enum Softmax {
  /// Natural logarithms of the probabilities.
  static func logarithms(_ logits: [Float]) -> [Double] {
    guard let highest = logits.max() else { return [] }
    let shifted = logits.map { Double($0) - Double(highest) }
    let total = Double.logarithm(shifted.reduce(0) { $0 + Double.exponential($1) })
    return shifted.map { $0 - total }
  }

  static func probabilities(_ logits: [Float]) -> [Double] {
    logarithms(logits).map { Double.exponential($0) }
  }
}
