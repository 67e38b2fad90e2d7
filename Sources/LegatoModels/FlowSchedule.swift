/// The midpoint method from t = 0 to 1: at which times the velocity is evaluated, and how far each evaluation leads.
///
/// Two evaluations an interval, the first to its middle, the second from its beginning to its end; an odd number begins
/// with an Euler step. With eight evaluations a normal variable's deviation comes out right within 3 % from 0.2 up, where
/// eight Euler steps leave 15 to 28 % of it out (`FlowScheduleTests`). A model that reads its own draws compounds that
/// loss: its music grows quieter and plainer than what it learned.
public struct FlowSchedule: Sendable, Hashable {
  /// One evaluation of the velocity, or of a mean one.
  public struct Evaluation: Sendable, Hashable {
    /// Where on the path from noise, 0, to data, 1.
    public var time: Float
    /// How far its velocity leads from where the interval began.
    public var gain: Float
    /// Whether the interval ends with it: the next one then begins where it led.
    public var endsInterval: Bool
  }

  /// How often the velocity is evaluated.
  public let count: Int

  public init(count: Int) { self.count = max(1, count) }

  public subscript(index: Int) -> Evaluation {
    let interval = 1 / Float((count + 1) / 2)
    let isOdd = count % 2 == 1
    if isOdd && index == 0 { return Evaluation(time: 0, gain: interval, endsInterval: true) }
    let halves = index + (isOdd ? 1 : 0)
    let isMiddle = halves % 2 == 1
    return Evaluation(
      time: Float(halves) * interval / 2, gain: isMiddle ? interval : interval / 2, endsInterval: isMiddle)
  }
}
