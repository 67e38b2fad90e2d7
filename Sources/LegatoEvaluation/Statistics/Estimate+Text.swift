import Foundation

extension Estimate {
  /// Three digits, and the interval where there is one: "18.8 (4.04 to 87.4)".
  public var text: String {
    guard let low, let high else { return Self.digits(value) }
    return "\(Self.digits(value)) (\(Self.digits(low)) to \(Self.digits(high)))"
  }

  /// Three significant digits.
  public static func digits(_ value: Double) -> String { String(format: "%.3g", value) }
}
