/// A time after which a run ends cleanly.
public struct TimeLimit: Sendable {
  private let deadline: Double?
  private let clock: @Sendable () -> Double

  /// - Parameter seconds: from now; nil is no limit.
  public init(seconds: Int?, clock: @escaping @Sendable () -> Double = monotonicSeconds) {
    deadline = seconds.map { clock() + Double($0) }
    self.clock = clock
  }

  /// Seconds left, or nil where there is no limit.
  public var remaining: Double? { deadline.map { $0 - clock() } }

  /// Whether less is left than the next piece of work takes.
  public func isOver(before next: Double = 0) -> Bool {
    remaining.map { $0 <= next } ?? false
  }
}
