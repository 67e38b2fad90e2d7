import Synchronization

/// Progress that several threads add to.
package final class SharedProgress: Sendable {
  private let line: ProgressLine
  private let done = Mutex(0.0)

  package init(_ label: String, total: Double, unit: String, style: ProgressStyle) {
    line = ProgressLine(label, total: Int(total.rounded(.up)), unit: unit, style: style)
    line.update(0)
  }

  package func add(_ amount: Double) {
    let (before, after) = done.withLock { done in
      done += amount
      return (done - amount, done)
    }
    if Int(before) != Int(after) { line.update(Int(after)) }
  }

  package func finish() { line.finish() }
}
