import Foundation

/// How an error is told to a person.
enum ErrorText {
  static func text(_ error: any Error) -> String {
    // Errors of Foundation print as a dump of their fields; their localised text is a sentence.
    if type(of: error) is NSError.Type || error is CocoaError || error is POSIXError {
      return error.localizedDescription
    }
    return "\(error)"
  }
}

/// A failure that a subcommand finds itself: what, where, and what to do.
struct CommandError: Error, Equatable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
