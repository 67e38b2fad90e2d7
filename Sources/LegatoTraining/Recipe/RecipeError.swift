/// Everything that is wrong with a recipe, so that one look suffices to mend it.
public struct RecipeError: Error, Equatable, Sendable, CustomStringConvertible {
  public struct Problem: Equatable, Sendable, CustomStringConvertible {
    /// Line in the file, from 1; nil where the value came from the command line or is missing.
    public var line: Int?
    /// The key with its sections: `optimizer.learning_rate`. Empty for the file as a whole.
    public var keyPath: String
    public var message: String

    public var description: String {
      let place = line.map { "line \($0): " } ?? ""
      return place + (keyPath.isEmpty ? message : "\(keyPath): \(message)")
    }
  }

  public var file: String
  public var problems: [Problem]

  public init(file: String, problems: [Problem]) {
    self.file = file
    self.problems = problems
  }

  init(file: String, line: Int? = nil, _ message: String) {
    self.init(file: file, problems: [Problem(line: line, keyPath: "", message: message)])
  }

  public var description: String {
    guard problems.count != 1 else { return "\(file): \(problems[0])" }
    return "\(file) has \(problems.count) mistakes:\n" + problems.map { "  \($0)" }.joined(separator: "\n")
  }
}
