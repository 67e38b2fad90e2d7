import Foundation

/// What `legato info` found: a kind and a list of facts, for people as aligned lines, for programs as JSON.
struct InfoReport {
  struct Fact {
    var key: String
    /// Empty for what only programs want.
    var title: String
    var value: Value
    /// How a person reads the value, where it is not the value itself.
    var text: String?
  }

  enum Value: Encodable {
    case text(String)
    case integer(Int)
    case number(Double)
    case bool(Bool)
    case object([String: Value])
    case list([String])

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .integer(let integer): try container.encode(integer)
      case .bool(let bool): try container.encode(bool)
      // JSON has no NaN.
      case .number(let number) where !number.isFinite: try container.encode("\(number)")
      case .number(let number): try container.encode(number)
      case .object(let object): try container.encode(object)
      case .list(let texts): try container.encode(texts)
      }
    }
  }

  let kind: String
  let path: String
  private(set) var facts: [Fact] = []

  init(kind: String, path: String) {
    self.kind = kind
    self.path = path
  }

  mutating func add(_ key: String, _ title: String, _ value: Value, _ text: String? = nil) {
    facts.append(Fact(key: key, title: title, value: value, text: text))
  }

  mutating func add(_ key: String, _ title: String, _ text: String) { add(key, title, .text(text)) }

  var text: String {
    let shown = facts.filter { !$0.title.isEmpty }
    let width = shown.map(\.title.count).max() ?? 0
    let lines = shown.map { fact in
      let padding = String(repeating: " ", count: width - fact.title.count)
      return "  \(fact.title)\(padding)  \(fact.text ?? Self.text(fact.value))"
    }
    return ([kind + "  " + path] + lines).joined(separator: "\n")
  }

  var json: String {
    get throws {
      var object: [String: Value] = ["kind": .text(kind), "path": .text(path)]
      for fact in facts { object[fact.key] = fact.value }
      return try JSONLine.text(object)
    }
  }

  static func text(_ value: Value) -> String {
    switch value {
    case .text(let text): text
    case .integer(let integer): "\(integer)"
    case .bool(let bool): "\(bool)"
    case .number(let number): Self.number(number)
    case .list(let texts): texts.joined(separator: ", ")
    case .object(let object):
      object.sorted { $0.key < $1.key }.map { "\($0.key) \(text($0.value))" }.joined(separator: ", ")
    }
  }

  static func number(_ value: Double) -> String {
    String(format: value.magnitude >= 1000 || value == value.rounded() ? "%.0f" : "%.4g", value)
  }

  /// `12.3 MB`, in powers of ten, as disks are sold and git counts.
  static func bytes(_ count: Int) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    var value = Double(count)
    var unit = 0
    while value >= 1000, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    return unit == 0
      ? "\(count) bytes" : String(format: value < 10 ? "%.2f %@" : "%.1f %@", value, units[unit])
  }

  static func parameters(_ count: Int) -> String {
    count < 1_000_000 ? "\(count)" : String(format: "%.1f M (%d)", Double(count) / 1e6, count)
  }

  static func hours(_ seconds: Double) -> String {
    seconds < 90
      ? String(format: "%.0f s", seconds)
      : seconds < 5400 ? String(format: "%.0f min", seconds / 60) : String(format: "%.1f h", seconds / 3600)
  }
}
