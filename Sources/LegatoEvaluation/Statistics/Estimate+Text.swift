import Foundation

extension Estimate {
  /// Three digits, and the interval where there is one: "18.8 (4.04 to 87.4)".
  public var text: String {
    guard let low, let high else { return Self.digits(value) }
    return "\(Self.digits(value)) (\(Self.digits(low)) to \(Self.digits(high)))"
  }

  /// Mean, and the least and the most where there are several: "0.5 (0.2 to 0.9)"; a dash for none.
  public static func spread(of values: [Double]) -> String {
    guard let mean = Statistics.mean(values), let low = values.min(), let high = values.max() else {
      return "–"
    }
    return digits(mean) + (values.count > 1 ? " (\(digits(low)) to \(digits(high)))" : "")
  }

  /// Three significant digits.
  public static func digits(_ value: Double) -> String { String(format: "%.3g", value) }
}
