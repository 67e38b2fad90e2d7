/// Durations as people write them: `90`, `45s`, `25m`, `1h30m`, `2d`.
public enum DurationText {
  /// Seconds, or nil where the text is no positive duration.
  public static func seconds(_ text: String) -> Int? {
    if let plain = digits(text[...]) { return plain > 0 ? plain : nil }
    var total = 0
    var rest = text[...]
    var units: [(Character, Int)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]
    while !rest.isEmpty {
      // Units fall from days to seconds and occur once.
      guard let end = rest.firstIndex(where: { !$0.isWholeNumber }),
        let unit = units.firstIndex(where: { $0.0 == rest[end] }), let count = digits(rest[..<end])
      else { return nil }
      let (product, overflowed) = count.multipliedReportingOverflow(by: units[unit].1)
      let (sum, overflowedSum) = total.addingReportingOverflow(product)
      if overflowed || overflowedSum { return nil }
      total = sum
      units.removeFirst(unit + 1)
      rest = rest[rest.index(after: end)...]
    }
    return total > 0 ? total : nil
  }

  private static func digits(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }

  /// The shortest exact text: 5400 → `1h30m`.
  public static func text(_ seconds: Int) -> String {
    guard seconds > 0 else { return "\(seconds)s" }
    var rest = seconds
    var result = ""
    for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] where rest >= size {
      result += "\(rest / size)\(unit)"
      rest %= size
    }
    return result
  }
}
