import LegatoTensor

/// A value of a progress record.
public enum LogValue: Sendable, Equatable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByStringLiteral
{
  case number(Double)
  case integer(Int)
  case text(String)

  public init(floatLiteral value: Double) { self = .number(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(stringLiteral value: String) { self = .text(value) }

  /// JSON has no NaN and no infinity: those are written as texts.
  var json: String {
    switch self {
    case .number(let number):
      number.isFinite ? "\(number)" : "\"\(number.isNaN ? "nan" : number > 0 ? "inf" : "-inf")\""
    case .integer(let integer): "\(integer)"
    case .text(let text): JSONString.quoted(text)
    }
  }
}

/// One-line JSON objects with their keys in a given order, which Foundation's encoder does not keep.
enum JSONText {
  static func object(_ fields: [(String, LogValue)]) -> String {
    "{" + fields.map { "\(JSONString.quoted($0.0)):\($0.1.json)" }.joined(separator: ",") + "}"
  }
}
