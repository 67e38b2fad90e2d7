import Foundation
import LegatoTensor
import LegatoTraining

/// Standard error: progress, messages, and summaries when standard output carries sound.
enum StandardError {
  static func write(_ text: String) { StandardErrorOutput().write(text) }

  static var isTerminal: Bool { StandardErrorOutput().isTerminal }
}

/// Standard output: results.
enum StandardOutput {
  static func line(_ text: String) throws {
    do throws(SystemCallError) {
      try DurableFile.write(Array("\(text)\n".utf8), to: OutputNames.standardOutput)
    } catch {
      // A reader that has gone away is no failure of ours; a result that is lost is.
      if error.code != EPIPE { throw error }
    }
  }

  /// One JSON object on one line, keys in alphabetical order.
  static func json(_ value: some Encodable) throws { try line(JSONLine.text(value)) }
}

enum JSONLine {
  static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
