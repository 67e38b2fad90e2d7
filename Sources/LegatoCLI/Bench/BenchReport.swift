import Foundation
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// What `legato bench` says. Times are seconds, sizes bytes.
struct BenchReport: Encodable {
  struct Parameters: Encodable {
    var backbone: Int
    var sampler: Int
    var codec: Int

    init(_ package: ModelPackage) {
      func count(_ prefix: String) -> Int {
        package.model.weights.filter { $0.name.hasPrefix(prefix) }.reduce(0) { $0 + $1.count }
      }
      backbone = count("backbone.")
      sampler = count("sampler.")
      codec = package.codec.codec.weights.reduce(0) { $0 + $1.count }
    }
  }

  var preset: String?
  var package: String?
  var weights: String?
  var steps: Int
  var threads: Int
  var sessions: Int
  var instructionSet: String
  var parameters: Parameters
  /// Bytes a second, of a plain read of as many bytes by as many threads.
  var bandwidth: Double
  var bytes: BenchTraffic
  var warm: BenchTimes
  var cold: BenchTimes
  /// The model's time, the worse of warm and cold, over the time that reading its bytes takes.
  var limit: Double
  var realTimeFactor: Double
  /// Of 250 latents.
  var prefill: Double
  /// Of ten seconds of sound.
  var encode: Double
  /// From a loaded package to the first samples of a new session.
  var firstAudio: Double
  /// The same with a prompt of ten seconds of sound.
  var firstAudioAfterPrompt: Double
  /// Resident size of the process while one session plays.
  var memory: Int
  /// Weights, the session's state and its buffers.
  var footprint: Int
  var weightBytes: Int
  /// Empty where nothing was listened to.
  var listening: [BenchListening]

  enum CodingKeys: String, CodingKey {
    case preset, package, weights, steps, threads, sessions, parameters, bandwidth, bytes, warm, cold, limit
    case prefill, encode, memory, footprint, listening
    case instructionSet = "instruction_set"
    case realTimeFactor = "real_time_factor"
    case firstAudio = "first_audio"
    case firstAudioAfterPrompt = "first_audio_after_prompt"
    case weightBytes = "weight_bytes"
  }

  var text: String {
    func milliseconds(_ seconds: Double) -> String { String(format: "%8.3f", seconds * 1000) }
    func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) * 1e-6) }
    func row(_ name: String, _ times: BenchTimes) -> String {
      name
        + [times.backbone, times.sampler, times.codec, times.frame].map(milliseconds).joined(separator: "  ")
    }
    return """
      \(preset ?? package ?? "")\(weights.map { "  \($0)" } ?? "")  \(steps) \(steps == 1 ? "step" : "steps")  \
      \(threads) \(threads == 1 ? "thread" : "threads")  \(sessions) \(sessions == 1 ? "session" : "sessions")  \(instructionSet)
      milliseconds a frame   backbone   sampler     codec     whole
        warm           \(row("  ", warm))
        cold           \(row("  ", cold))
      read a frame: \(megabytes(bytes.backbone)) backbone, \(megabytes(bytes.sampler)) sampler, \(megabytes(bytes.cache)) cache; \
      memory reads \(String(format: "%.1f", bandwidth * 1e-9)) GB/s
      the model takes \(String(format: "%.2f", limit)) times as long as reading that
      real-time factor \(String(format: "%.1f", realTimeFactor))\(sessions == 1 ? "" : " of each session"), first sound after \
      \(String(format: "%.1f", firstAudio * 1000)) ms, \
      with a prompt of 10 s after \(String(format: "%.1f", firstAudioAfterPrompt * 1000)) ms
      a prompt of 250 latents \(String(format: "%.1f", prefill * 1000)) ms, \
      encoding 10 s of sound \(String(format: "%.1f", encode * 1000)) ms
      weights \(megabytes(weightBytes)); with a session's state and buffers \(megabytes(footprint)), \
      \(String(format: "%.2f", Double(footprint) / Double(max(1, weightBytes)))) times as much; the process \(megabytes(memory))
      """ + listeningText
  }

  private var listeningText: String {
    guard !listening.isEmpty else { return "" }
    func row(_ one: BenchListening) -> String {
      String(
        format: "%5d  %20.0f  %9d of %d", one.depth, one.latency * 1000, one.underruns, one.blocks)
    }
    return "\nring, frames  heard within, ms  blocks that came short\n"
      + listening.map(row).joined(separator: "\n")
  }
}
