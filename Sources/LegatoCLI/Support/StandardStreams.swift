import Foundation
import LegatoTraining

/// Standard error: progress, messages, and summaries when standard output carries sound.
enum StandardError {
  static func write(_ text: String) { StandardErrorOutput().write(text) }

  static var isTerminal: Bool { StandardErrorOutput().isTerminal }
}

/// Standard output: results.
enum StandardOutput {
  static func line(_ text: String) {
    // `print` ends the process on no error; a reader that has gone away is no failure of ours.
    print(text)
    fflush(nil)
  }

  /// One JSON object on one line, keys in alphabetical order.
  static func json(_ value: some Encodable) throws { line(try JSONLine.text(value)) }
}

enum JSONLine {
  static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
