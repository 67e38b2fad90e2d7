import Foundation
import Legato
import LegatoAudio
import LegatoModels
import LegatoTraining

/// A long stream, minute by minute: whether a frame takes as long and the process as much memory at its end as at its beginning.
struct BenchEndurance: Encodable {
  struct Minute: Encodable {
    var minute: Int
    /// Seconds that a frame took, sound included: the median, and the slowest.
    var frame: Double
    var slowest: Double
    /// Resident bytes of the process at the minute's end.
    var memory: Int
  }

  var package: String
  var threads: Int
  var instructionSet: String
  var minutes: [Minute]

  enum CodingKeys: String, CodingKey {
    case package, threads, minutes
    case instructionSet = "instruction_set"
  }

  /// Plays `seconds` of music as fast as it goes.
  init(_ session: Session, name: String, seconds: Double, progress: ProgressStyle) {
    (package, threads, instructionSet) = (name, session.threads, session.instructionSet)
    let source = ChunkSource(session)
    let memory = PlanarMemory(channels: session.channels, capacity: session.samplesPerFrame)
    let clock = ContinuousClock()
    let minute = 60 * session.sampleRate
    let end = Int(seconds * Double(session.sampleRate))
    var (times, played) = ([Double](), 0)
    minutes = []
    // What is measured must not grow by the measurement.
    times.reserveCapacity(minute / session.samplesPerFrame + 8)
    let count = max(1, Int((seconds / 60).rounded(.up)))
    minutes.reserveCapacity(count)
    let line = ProgressLine("playing", total: count, unit: "minute", style: progress)
    for number in 1...count {
      times.removeAll(keepingCapacity: true)
      repeat {
        times.append(clock.measure { played += source.render(into: memory.rows) } / .seconds(1))
      } while played < min(number * minute, end)
      minutes.append(
        Minute(
          minute: number, frame: BenchRun.median(times), slowest: times.max() ?? 0, memory: MemoryUse.resident
        ))
      line.update(number)
    }
    line.finish()
    // Until here, since what it takes is measured.
    withExtendedLifetime(source) {}
  }

  var text: String {
    func row(_ minute: Minute) -> String {
      String(
        format: "%6d  %9.3f  %9.3f  %8.1f", minute.minute, minute.frame * 1000, minute.slowest * 1000,
        Double(minute.memory) * 1e-6)
    }
    let step = max(1, minutes.count / 10)
    let shown = minutes.filter { $0.minute == 1 || $0.minute == minutes.count || $0.minute % step == 0 }
    return """
      \(package)  \(threads) \(threads == 1 ? "thread" : "threads")  \(instructionSet)
      minute  ms, median    slowest  memory, MB
      \(shown.map(row).joined(separator: "\n"))
      """
  }
}
