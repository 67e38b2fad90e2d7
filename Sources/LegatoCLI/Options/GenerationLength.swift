import ArgumentParser
import LegatoTraining

/// How long generated sound is: `90`, `90s`, `2.5`, `5m`, `1h30m`, or `endless`.
enum GenerationLength: Equatable, ExpressibleByArgument {
  case seconds(Double)
  case endless

  static let range = 0.1...365.0 * 86_400

  init?(argument: String) {
    if argument == "endless" {
      self = .endless
      return
    }
    // No length at all is understood too, so that the range can be told.
    if argument == "0" || argument == "0s" {
      self = .seconds(0)
      return
    }
    if let whole = DurationText.seconds(argument) {
      self = .seconds(Double(whole))
      return
    }
    // Parts of a second, plain or with the unit; no exponents, signs or names such as "nan".
    let digits = argument.hasSuffix("s") ? argument.dropLast() : argument[...]
    guard digits.contains("."), digits.allSatisfy({ $0 == "." || ("0"..."9").contains($0) }),
      let value = Double(digits)
    else { return nil }
    self = .seconds(value)
  }

  var seconds: Double? {
    switch self {
    case .seconds(let seconds): seconds
    case .endless: nil
    }
  }

  var defaultValueDescription: String {
    switch self {
    case .seconds(let seconds): DurationText.text(Int(seconds))
    case .endless: "endless"
    }
  }
}
