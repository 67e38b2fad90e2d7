/// What went wrong with a safetensors file: which file, which tensor, why, and what to do.
public struct SafetensorsError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// The file is missing, is a folder, or may not be read.
    case cannotOpen
    /// The file is shorter or longer than its header says.
    case truncated
    /// The header is not what the format asks for.
    case badHeader
    /// The file is sound but holds no tensor of that name.
    case missingTensor
    /// The tensor's type or size is not what the caller asked for.
    case mismatch
    /// Writing failed: permission, disk full, a folder that is not there.
    case cannotWrite
    /// Some declared tensors never received all their values.
    case incomplete
  }

  public var kind: Kind
  public var file: String
  public var tensor: String?
  public var reason: String
  /// What the user can do about it.
  public var remedy: String

  public init(_ kind: Kind, file: String, tensor: String? = nil, reason: String, remedy: String) {
    self.kind = kind
    self.file = file
    self.tensor = tensor
    self.reason = reason
    self.remedy = remedy
  }

  public var description: String {
    let subject = tensor.map { "\(file), tensor \"\(Self.shortened($0))\"" } ?? file
    return "\(subject): \(reason). \(remedy)"
  }

  /// Names come from files that may be hostile: keep messages to a line and free of control characters.
  static func shortened(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(120) {
      if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
        result.unicodeScalars.append("\u{FFFD}")
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return text.unicodeScalars.count > 120 ? result + "…" : result
  }
}

extension SafetensorsError {
  static let fetchAgain = "Copy or download the file again, or make it anew"

  static func header(_ file: String, tensor: String? = nil, _ reason: String) -> SafetensorsError {
    SafetensorsError(.badHeader, file: file, tensor: tensor, reason: reason, remedy: fetchAgain + ".")
  }

  static func write(_ error: SystemCallError) -> SafetensorsError {
    SafetensorsError(
      .cannotWrite, file: error.path, reason: "cannot \(error.operation): \(error.reason)",
      remedy: error.remedy)
  }
}
