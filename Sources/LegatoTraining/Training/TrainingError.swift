/// A training that cannot start or go on: what is wrong, and what to do.
public struct TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
  public let reason: String
  public let remedy: String

  public init(_ reason: String, _ remedy: String) {
    self.reason = reason
    self.remedy = remedy
  }

  public var description: String { "\(reason). \(remedy)" }
}
