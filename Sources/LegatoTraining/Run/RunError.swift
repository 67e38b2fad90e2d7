import LegatoTensor

/// What is wrong with a run's folder: where, what, and what to do.
public struct RunError: Error, Equatable, Sendable, CustomStringConvertible {
  public var path: String
  public var reason: String
  public var remedy: String

  public init(_ path: String, _ reason: String, _ remedy: String) {
    self.path = path
    self.reason = reason
    self.remedy = remedy
  }

  init(_ error: SystemCallError) {
    self.init(error.path, "cannot \(error.operation): \(error.reason)", error.remedy)
  }

  public var description: String { "\(path): \(reason). \(remedy)" }
}
