/// Why preparation, encoding or decoding could not do what was asked: where, what, and what to do.
public struct PrepareError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// An option that makes no sense.
    case badOption
    /// A manifest that names a recording twice or in a way that cannot be used.
    case badManifest
    /// Every recording had to be skipped.
    case noneUsable
    case cannotWrite
    /// Stopped on request; what was finished stays.
    case cancelled
    /// The sound of one recording cannot be encoded.
    case unusable
  }

  public var kind: Kind
  public var path: String
  public var reason: String
  public var remedy: String

  public init(_ kind: Kind, _ path: String, _ reason: String, _ remedy: String) {
    self.kind = kind
    self.path = path
    self.reason = reason
    self.remedy = remedy
  }

  public var description: String { "\(path): \(reason). \(remedy)" }
}
