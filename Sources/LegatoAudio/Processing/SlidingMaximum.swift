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

  /// The values that may still be the largest, and how long ago each came.
  func save() -> [Float] { values[head...].flatMap { [$0.value, Float(position - $0.position)] } }

  /// Puts saved values back; false, and nothing done, where they are not what ``save()`` gives.
  mutating func restore(_ state: [Float]) -> Bool {
    guard state.count % 2 == 0, state.count <= 2 * window else { return false }
    var restored: [(value: Float, position: Int)] = []
    restored.reserveCapacity(2 * window + 2)
    for index in stride(from: 0, to: state.count, by: 2) {
      guard let age = Int(exactly: state[index + 1]), (1...window).contains(age),
        restored.last.map({ $0.value > state[index] && $0.position < -age }) ?? true
      else { return false }
      restored.append((state[index], -age))
    }
    (values, head, position) = (restored, 0, 0)
    return true
  }
}
