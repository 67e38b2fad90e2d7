/// The largest of the last `window` values, in constant time each (a queue of falling values).
struct SlidingMaximum: Sendable {
  private let window: Int
  private var values: [(value: Float, position: Int)] = []
  private var head = 0
  private var position = 0

  init(window: Int) {
    precondition(window > 0, "SlidingMaximum: window is \(window)")
    self.window = window
    values.reserveCapacity(2 * window + 2)
  }

  /// Adds a value and returns the maximum of the last `window`.
  mutating func push(_ value: Float) -> Float {
    while values.count > head, values[values.count - 1].value <= value { values.removeLast() }
    values.append((value, position))
    if values[head].position <= position - window { head += 1 }
    if head > window {
      values.removeFirst(head)
      head = 0
    }
    position += 1
    return values[head].value
  }
}
