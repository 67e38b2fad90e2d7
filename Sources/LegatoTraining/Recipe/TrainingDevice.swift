/// Where training runs: `auto` (the first GPU, else the CPU), `cpu`, `cuda` or `cuda:1`.
public enum TrainingDevice: Sendable, Equatable, CustomStringConvertible {
  case automatic
  case cpu
  case cuda(index: Int?)

  public init?(_ text: String) {
    switch text {
    case "auto": self = .automatic
    case "cpu": self = .cpu
    case "cuda": self = .cuda(index: nil)
    default:
      guard text.hasPrefix("cuda:"), let index = RecipeReader.integer(String(text.dropFirst(5))),
        (0..<1024).contains(index)
      else { return nil }
      self = .cuda(index: index)
    }
  }

  public var description: String {
    switch self {
    case .automatic: "auto"
    case .cpu: "cpu"
    case .cuda(nil): "cuda"
    case .cuda(let index?): "cuda:\(index)"
    }
  }
}
