#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where values lie along an axis and at which of them to put marks.
struct Axis {
  enum Scale { case linear, logarithmic, mel }

  var range: ClosedRange<Double>
  var scale: Scale

  init(_ range: ClosedRange<Double>, scale: Scale = .linear) {
    self.range = range
    self.scale = scale
  }

  /// Place of a value, 0 at the lower end and 1 at the upper.
  func place(_ value: Double) -> Double {
    let (low, high) = (warp(range.lowerBound), warp(range.upperBound))
    return high > low ? (warp(value) - low) / (high - low) : 0.5
  }

  /// The value at a place; the inverse of ``place(_:)``.
  func value(_ place: Double) -> Double {
    let (low, high) = (warp(range.lowerBound), warp(range.upperBound))
    let warped = low + place * (high - low)
    return switch scale {
    case .linear: warped
    case .logarithmic: exp(warped)
    case .mel: 700 * (exp(warped) - 1)
    }
  }

  /// About `count` round values inside the range.
  func ticks(_ count: Int) -> [Double] {
    if scale == .logarithmic, range.upperBound / range.lowerBound > 5 { return logarithmicTicks(count) }
    if scale == .mel {
      return [0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000].filter(range.contains)
    }
    let span = range.upperBound - range.lowerBound
    guard span > 0, count > 0 else { return [range.lowerBound] }
    let step = Self.roundStep(span / Double(count))
    let first = (range.lowerBound / step - 1e-9).rounded(.up)
    let last = (range.upperBound / step + 1e-9).rounded(.down)
    if last < first { return [range.lowerBound] }
    return stride(from: first, through: last, by: 1).map { $0 * step }
  }

  /// The nearest of 1, 2, 5 times a power of ten that is not under `step`.
  static func roundStep(_ step: Double) -> Double {
    let power = pow(10, floor(log10(step)))
    let scaled = step / power
    return power * (scaled <= 1.0001 ? 1 : scaled <= 2.0001 ? 2 : scaled <= 5.0001 ? 5 : 10)
  }

  private func logarithmicTicks(_ count: Int) -> [Double] {
    let low = Int(floor(log10(range.lowerBound)))
    let high = Int(ceil(log10(range.upperBound)))
    let decades = high - low
    let factors: [Double] = decades * 3 <= 2 * count ? [1, 2, 5] : [1]
    let every = max(1, decades / max(1, count))
    return stride(from: low, through: high, by: every).flatMap { exponent in
      factors.map { $0 * pow(10, Double(exponent)) }
    }.filter { $0 >= range.lowerBound * 0.9999 && $0 <= range.upperBound * 1.0001 }
  }

  private func warp(_ value: Double) -> Double {
    switch scale {
    case .linear: value
    case .logarithmic: log(max(value, .leastNormalMagnitude))
    case .mel: log(1 + max(value, 0) / 700)
    }
  }
}

/// Numbers as people write them beside an axis.
enum AxisLabel {
  /// Few digits: "0.25", "12", "3k", "1e-05".
  static func number(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 || size < 1e-300 { return "0" }
    if size >= 1e6 || size < 1e-3 {
      let exponent = Int(floor(log10(size) + 1e-9))
      return "\(decimal(value / pow(10, Double(exponent)), digits: 2))e\(exponent)"
    }
    if size >= 10_000 { return decimal(value / 1000, digits: 2) + "k" }
    return decimal(value, digits: size >= 100 ? 1 : size >= 1 ? 3 : 4)
  }

  /// "440", "1k", "2.5k".
  static func frequency(_ value: Double) -> String {
    value >= 1000 ? decimal(value / 1000, digits: 1) + "k" : decimal(value, digits: 0)
  }

  /// Seconds, or minutes and seconds from a minute on.
  static func time(_ seconds: Double, of duration: Double) -> String {
    if duration < 90 { return decimal(seconds, digits: 3) }
    let whole = Int(seconds.rounded())
    let (minutes, rest) = (whole / 60, whole % 60)
    let two = rest < 10 ? "0\(rest)" : "\(rest)"
    if minutes < 60 { return "\(minutes):\(two)" }
    return "\(minutes / 60):\(minutes % 60 < 10 ? "0" : "")\(minutes % 60):\(two)"
  }

  /// At most `digits` digits after the point, without trailing zeros.
  static func decimal(_ value: Double, digits: Int) -> String {
    let scale = pow(10, Double(digits))
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let units = Int(scaled)
    let whole = units / Int(scale)
    var fraction = String(units % Int(scale))
    fraction = String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
    while fraction.last == "0" { fraction.removeLast() }
    let sign = value < 0 && units != 0 ? "-" : ""
    return digits == 0 || fraction.isEmpty ? "\(sign)\(whole)" : "\(sign)\(whole).\(fraction)"
  }
}
