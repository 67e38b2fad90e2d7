import Foundation
import Synchronization

/// How progress is shown.
public enum ProgressStyle: Sendable, Equatable {
  /// A line redrawn in place on a terminal (at most ten times a second), a plain line every ten seconds
  /// elsewhere.
  case automatic
  /// Nothing but messages.
  case quiet
  /// One JSON object a line, at most one a second.
  case json
}

/// Shows how far a long task is: done and total, rate, time left, and a few values. Any thread may call it.
public final class ProgressLine: Sendable {
  private struct State {
    var done = 0
    var fields: [(String, LogValue)] = []
    var firstDone: Int?
    var lastShown = -Double.infinity
    var lineIsOpen = false
    var finished = false
    /// The last half minute: (time, done), for a rate that follows changes.
    var history: [(time: Double, done: Int)] = []
  }

  private let label: String
  private let total: Int?
  private let unit: String
  private let style: ProgressStyle
  private let output: any ProgressOutput
  private let clock: @Sendable () -> Double
  private let start: Double
  private let state = Mutex(State())

  /// - Parameters:
  ///   - label: what is done, at the line's beginning.
  ///   - total: nil where it is not known.
  ///   - unit: what is counted, in the singular: `step`.
  public init(
    _ label: String, total: Int?, unit: String, style: ProgressStyle = .automatic,
    output: any ProgressOutput = StandardErrorOutput(),
    clock: @escaping @Sendable () -> Double = monotonicSeconds
  ) {
    self.label = label
    self.total = total
    self.unit = unit
    self.style = style
    self.output = output
    self.clock = clock
    start = clock()
  }

  /// Says how much is done and the values of the moment. The first call sets where the rate begins to count,
  /// so a resumed task's earlier part does not inflate it.
  public func update(_ done: Int, _ fields: [(String, LogValue)] = []) {
    let now = clock()
    state.withLock { state in
      guard !state.finished else { return }
      state.done = done
      state.fields = fields
      if state.firstDone == nil { state.firstDone = done }
      if state.history.last.map({ now - $0.time >= 0.5 }) ?? true {
        state.history.append((now, done))
        if let oldest = state.history.firstIndex(where: { now - $0.time <= 30 }), oldest > 1 {
          state.history.removeFirst(oldest - 1)
        }
      }
      let interval: Double =
        switch style {
        case .quiet: .infinity
        case .json: 1
        case .automatic: output.isTerminal ? 0.1 : 10
        }
      guard now - state.lastShown >= interval, style != .quiet else { return }
      state.lastShown = now
      show(&state, at: now)
    }
  }

  /// Writes a message above the progress line. Quiet mode shows messages too: they are for warnings and the like.
  public func message(_ text: String) {
    let now = clock()
    state.withLock { state in
      if style == .json {
        output.write(
          JSONText.object([("event", "message"), ("label", .text(label)), ("text", .text(text))]) + "\n")
        return
      }
      output.write((state.lineIsOpen ? "\r\u{1B}[K" : "") + text + "\n")
      if state.lineIsOpen { show(&state, at: now) }
    }
  }

  /// Shows the last state and ends the line. Later updates show nothing.
  public func finish() {
    let now = clock()
    state.withLock { state in
      guard !state.finished else { return }
      state.finished = true
      guard style != .quiet, state.firstDone != nil else { return }
      show(&state, at: now, final: true)
      if state.lineIsOpen { output.write("\n") }
      state.lineIsOpen = false
    }
  }

  private func show(_ state: inout State, at now: Double, final: Bool = false) {
    switch style {
    case .quiet: break
    case .json: output.write(jsonLine(state, at: now, final: final) + "\n")
    case .automatic:
      let line = textLine(state, at: now, final: final)
      if output.isTerminal {
        // The last column stays free: some terminals wrap when it is filled.
        output.write("\r" + String(line.prefix(max(10, output.width - 1))) + "\u{1B}[K")
        state.lineIsOpen = true
      } else {
        output.write(line + "\n")
      }
    }
  }

  /// Units a second: over the last half minute, or all of it at the end.
  private func rate(_ state: State, at now: Double, final: Bool) -> Double? {
    guard let first = state.firstDone else { return nil }
    let (time, done) = final ? (start, first) : state.history.first ?? (start, first)
    let seconds = now - time
    let count = state.done - done
    return seconds > 0 && count > 0 ? Double(count) / seconds : nil
  }

  private func textLine(_ state: State, at now: Double, final: Bool) -> String {
    let rate = rate(state, at: now, final: final)
    var parts = [total.map { "\(label) \(state.done)/\($0)" } ?? "\(label) \(state.done)"]
    if let total, total > 0 { parts[0] += " (\(min(100, state.done * 100 / total)) %)" }
    if let rate { parts.append(Self.rateText(rate, unit)) }
    parts.append(Self.clockText(now - start))
    if !final, let rate, let total, total > state.done {
      parts.append("\(Self.clockText(Double(total - state.done) / rate)) left")
    }
    parts += state.fields.map { "\($0.0) \(Self.text($0.1))" }
    return parts.joined(separator: "  ")
  }

  private func jsonLine(_ state: State, at now: Double, final: Bool) -> String {
    var fields: [(String, LogValue)] = [
      ("event", final ? "finished" : "progress"), ("label", .text(label)), ("unit", .text(unit)),
      ("done", .integer(state.done)),
    ]
    if let total { fields.append(("total", .integer(total))) }
    fields.append(("elapsed", .number(now - start)))
    if let rate = rate(state, at: now, final: final) {
      fields.append(("rate", .number(rate)))
      if let total { fields.append(("left", .number(Double(max(0, total - state.done)) / rate))) }
    }
    return JSONText.object(fields + state.fields)
  }

  // MARK: Texts

  static func rateText(_ rate: Double, _ unit: String) -> String {
    if rate < 0.5 { return "\(significant(1 / rate)) s/\(unit)" }
    return "\(significant(rate)) \(unit)s/s"
  }

  /// `m:ss`, `h:mm:ss`, or days.
  static func clockText(_ seconds: Double) -> String {
    // Some rates are so small that the time left is no Int.
    guard seconds.isFinite, seconds < 1e8 else { return "∞" }
    let total = Int(max(0, seconds).rounded())
    let (minutes, hours) = (total / 60 % 60, total / 3600)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if hours >= 48 { return "\(hours / 24)d \(hours % 24)h" }
    if hours > 0 { return "\(hours):\(two(minutes)):\(two(total % 60))" }
    return "\(minutes):\(two(total % 60))"
  }

  static func text(_ value: LogValue) -> String {
    switch value {
    case .number(let number): significant(number)
    case .integer(let integer): "\(integer)"
    case .text(let text): text
    }
  }

  /// About four significant digits.
  static func significant(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value > 0 ? "inf" : "-inf" }
    let magnitude = abs(value)
    if value == 0 { return "0" }
    if magnitude >= 1e6 || magnitude < 1e-3 { return String(format: "%.2e", value) }
    if magnitude >= 1000 { return String(format: "%.0f", value) }
    return String(format: magnitude >= 100 ? "%.1f" : magnitude >= 10 ? "%.2f" : "%.4g", value)
  }
}
