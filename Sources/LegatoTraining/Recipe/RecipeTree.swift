import LegatoTensor

/// Keys and values in the order in which they are written.
struct RecipeTree {
  private enum Value {
    case scalar(String)
    case absent(note: String)
    case section(RecipeTree)
  }

  private var items: [(key: String, value: Value)] = []

  mutating func add(_ key: String, _ value: some CustomStringConvertible) {
    items.append((key, .scalar(value.description)))
  }

  mutating func add(_ key: String, _ value: some RawRepresentable<String>) {
    items.append((key, .scalar(value.rawValue)))
  }

  /// A value that may be missing, and then is written as a comment.
  mutating func add(_ key: String, _ value: (some CustomStringConvertible)?, absent note: String) {
    items.append((key, value.map { .scalar($0.description) } ?? .absent(note: note)))
  }

  mutating func add(section key: String, _ fill: (inout RecipeTree) -> Void) {
    var section = RecipeTree()
    fill(&section)
    items.append((key, .section(section)))
  }

  func write(to text: inout String, indentation: String) {
    for (key, value) in items {
      switch value {
      case .scalar(let scalar): text += "\(indentation)\(key): \(scalar)\n"
      case .absent(let note): text += "\(indentation)# \(key): (\(note))\n"
      case .section(let section):
        text += "\(indentation)\(key):\n"
        section.write(to: &text, indentation: indentation + "  ")
      }
    }
  }

  func flatten(into result: inout [String: String], prefix: String) {
    for (key, value) in items {
      switch value {
      case .scalar(let scalar): result[prefix + key] = scalar
      case .absent: break
      case .section(let section): section.flatten(into: &result, prefix: "\(prefix)\(key).")
      }
    }
  }

  /// A text that YAML reads back as it was: bare where that is certain, else in double quotes.
  static func quoted(_ text: String) -> String {
    let plain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    let first = text.utf8.first
    if plain, let first, first != UInt8(ascii: "-"), text.lowercased() != "null", text != "..." {
      return text
    }
    return JSONString.quoted(text)
  }
}
