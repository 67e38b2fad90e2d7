import LegatoTensor

/// What is wrong with prepared latents: where, what, and what to do.
public struct LatentError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// The folder, its index or one of its files is not there.
    case missing
    /// Made by a newer Legato.
    case newer
    /// The content contradicts itself or is not what the format asks for.
    case damaged
    /// Made with another codec.
    case otherCodec
    /// No piece of a split is long enough, or there is none.
    case tooShort
    /// Writing failed.
    case cannotWrite
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

  init(writing error: SystemCallError) {
    self.init(.cannotWrite, error.path, "cannot \(error.operation): \(error.reason)", error.remedy)
  }

  public var description: String { "\(path): \(reason). \(remedy)" }

  static let prepareAgain = "Run the same `legato prepare` command again: it keeps what is finished."
}
