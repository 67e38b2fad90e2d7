import Foundation
import Yams

/// Reads one section of a recipe, strictly: every getter checks type and range, and `finish()` reports the
/// keys that nobody asked for. Mistakes are collected, not thrown, so that one run names them all; a getter
/// that finds one returns its default.
final class RecipeReader {
  /// The mistakes found so far, shared by all sections of a file.
  final class Problems {
    var list: [RecipeError.Problem] = []
  }

  private let mapping: Node.Mapping
  private let path: String
  private let line: Int?
  private let problems: Problems
  /// Whether the section stands in the file, be it empty.
  let isPresent: Bool
  /// Every key asked for, in order: these are the valid ones.
  private var known: [String] = []

  init(
    _ mapping: Node.Mapping, path: String = "", line: Int? = nil, isPresent: Bool = true, problems: Problems
  ) {
    self.isPresent = isPresent
    self.mapping = mapping
    self.path = path
    self.line = line
    self.problems = problems
  }

  func report(_ key: String, line: Int? = nil, _ message: String) {
    problems.list.append(.init(line: line, keyPath: path.isEmpty ? key : "\(path).\(key)", message: message))
  }

  /// Reports a key that must be given and is not, unless a mistake with it was reported already.
  func require(_ key: String, _ message: String) {
    let keyPath = path.isEmpty ? key : "\(path).\(key)"
    guard !problems.list.contains(where: { $0.keyPath == keyPath }) else { return }
    report(key, line: line, message)
  }

  /// Reports the keys that no getter asked for. `elsewhere` says of some why they don't belong here.
  func finish(elsewhere: [String: String] = [:]) {
    for (key, _) in mapping {
      let line = key.mark?.line
      guard let name = key.scalar?.string else {
        report("?", line: line, "a key must be a word")
        continue
      }
      guard !known.contains(name) else { continue }
      if let reason = elsewhere[name] {
        report(name, line: line, reason)
      } else if let nearest = NearestWord.find(name, among: known) {
        report(name, line: line, "unknown key; did you mean `\(nearest)`?")
      } else {
        report(name, line: line, "unknown key; valid here: \(known.joined(separator: ", "))")
      }
    }
  }

  /// The value under a key; nil where it is absent, empty or `null`.
  private func value(_ key: String) -> (node: Node, line: Int?)? {
    if !known.contains(key) { known.append(key) }
    guard let (name, node) = mapping.first(where: { $0.key.scalar?.string == key }) else { return nil }
    if let scalar = node.scalar, scalar.style == .plain,
      ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    {
      return nil
    }
    return (node, node.mark?.line ?? name.mark?.line)
  }

  /// The text of an unquoted scalar that `parse` accepts, or a mistake that says what was expected.
  private func scalar<Value>(
    _ key: String, expected: String, quotedToo: Bool = false, _ parse: (String) -> Value?
  ) -> Value? {
    guard let (node, line) = value(key) else { return nil }
    guard let scalar = node.scalar else {
      report(key, line: line, "expected \(expected), found a \(node.mapping == nil ? "list" : "section")")
      return nil
    }
    if quotedToo || scalar.style == .plain, let result = parse(scalar.string) { return result }
    let shown = String(scalar.string.prefix(60))
    let quoted = !quotedToo && scalar.style != .plain && parse(scalar.string) != nil
    report(
      key, line: line,
      "expected \(expected), found \(quoted ? "the text \"\(shown)\" (remove the quotes)" : "`\(shown)`")")
    return nil
  }

  // MARK: Getters

  func int(_ key: String, in range: ClosedRange<Int>) -> Int? {
    let bounds =
      range.upperBound == .max
      ? "from \(range.lowerBound) up" : "from \(range.lowerBound) to \(range.upperBound)"
    return scalar(key, expected: "a whole number \(bounds)") { text in
      Self.integer(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func int(_ key: String, default value: Int, in range: PartialRangeFrom<Int>) -> Int {
    int(key, in: range.lowerBound...Int.max) ?? value
  }

  func int(_ key: String, in range: PartialRangeFrom<Int>) -> Int? {
    int(key, in: range.lowerBound...Int.max)
  }

  func unsigned(_ key: String, default value: UInt64) -> UInt64 {
    scalar(key, expected: "a whole number from 0 to \(UInt64.max)") { text in
      text.utf8.first == 0x2B ? nil : UInt64(text.replacing("_", with: ""))
    } ?? value
  }

  func double(_ key: String, in range: NumberRange) -> Double? {
    scalar(key, expected: "a number \(range.text)") { text in
      Self.number(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func double(_ key: String, default value: Double, in range: NumberRange) -> Double {
    double(key, in: range) ?? value
  }

  func bool(_ key: String, default value: Bool) -> Bool {
    scalar(key, expected: "true or false") { ["true": true, "false": false][$0] } ?? value
  }

  /// Any text; numbers and the like are taken as they are written.
  func string(_ key: String) -> String? {
    scalar(key, expected: "a text", quotedToo: true) { $0.isEmpty ? nil : $0 }
  }

  /// One of the raw values of an enumeration.
  func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _: Choice.Type) -> Choice?
  where Choice.RawValue == String {
    let words = Choice.allCases.map(\.rawValue)
    var unknown: String?
    let result = scalar(key, expected: "one of \(words.joined(separator: ", "))", quotedToo: true) { text in
      let choice = Choice(rawValue: text)
      if choice == nil { unknown = text }
      return choice
    }
    if let unknown, let nearest = NearestWord.find(unknown, among: words),
      let last = problems.list.indices.last
    {
      problems.list[last].message += "; did you mean `\(nearest)`?"
    }
    return result
  }

  func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, default value: Choice) -> Choice
  where Choice.RawValue == String {
    choice(key, Choice.self) ?? value
  }

  /// A text of a form of its own.
  func parsed<Value>(_ key: String, expected: String, _ parse: (String) -> Value?) -> Value? {
    scalar(key, expected: expected, quotedToo: true, parse)
  }

  func doubles(_ key: String, count: Int, in range: NumberRange) -> [Double]? {
    list(key, expected: "a list of \(count) numbers \(range.text)") { text in
      Self.number(text).flatMap { range.contains($0) ? $0 : nil }
    } where: {
      $0.count == count
    }
  }

  func ints(_ key: String, in range: ClosedRange<Int>) -> [Int]? {
    list(key, expected: "a list of whole numbers from \(range.lowerBound) to \(range.upperBound)") { text in
      Self.integer(text).flatMap { range.contains($0) ? $0 : nil }
    } where: {
      !$0.isEmpty
    }
  }

  private func list<Value>(
    _ key: String, expected: String, _ parse: (String) -> Value?, where isValid: ([Value]) -> Bool
  ) -> [Value]? {
    guard let (node, line) = value(key) else { return nil }
    if let sequence = node.sequence {
      let values = sequence.compactMap { element in
        element.scalar.flatMap { $0.style == .plain ? parse($0.string) : nil }
      }
      if values.count == sequence.count, isValid(values) { return values }
    }
    report(key, line: line, "expected \(expected)")
    return nil
  }

  /// A section; an absent one reads as empty, so that all its defaults hold.
  func section(_ key: String) -> RecipeReader {
    let name = path.isEmpty ? key : "\(path).\(key)"
    guard let (node, line) = value(key) else {
      let isThere = mapping.contains { $0.key.scalar?.string == key }
      return RecipeReader(Node.Mapping([]), path: name, isPresent: isThere, problems: problems)
    }
    guard let mapping = node.mapping else {
      report(key, line: line, "expected a section (keys and values, indented below it)")
      return RecipeReader(Node.Mapping([]), path: name, problems: problems)
    }
    return RecipeReader(mapping, path: name, line: line, problems: problems)
  }

  // MARK: Numbers

  static func integer(_ text: String) -> Int? {
    guard let first = text.utf8.first, first != 0x2B, first != UInt8(ascii: "_") else { return nil }
    return Int(text.replacing("_", with: ""))
  }

  /// Decimal numbers only: `nan`, `inf` and hexadecimal are slips in a recipe.
  static func number(_ text: String) -> Double? {
    let allowed = Array("0123456789+-.eE_".utf8)
    guard text.utf8.allSatisfy({ allowed.contains($0) }), let value = Double(text.replacing("_", with: "")),
      value.isFinite
    else { return nil }
    return value
  }
}

/// The values that a number may take, and the words for them.
struct NumberRange: Sendable {
  var text: String
  var contains: @Sendable (Double) -> Bool

  static let positive = NumberRange(text: "above 0") { $0 > 0 }
  static let fromZero = NumberRange(text: "from 0 up") { $0 >= 0 }
  static let fraction = NumberRange(text: "from 0 to 1") { (0...1).contains($0) }
  static let belowOne = NumberRange(text: "from 0 to below 1") { (0..<1).contains($0) }
  static let any = NumberRange(text: "") { _ in true }

  static func within(_ range: ClosedRange<Float>) -> NumberRange {
    NumberRange(text: String(format: "from %g to %g", range.lowerBound, range.upperBound)) {
      range.contains(Float($0))
    }
  }
}
