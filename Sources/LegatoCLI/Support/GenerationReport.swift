import Foundation
import Legato
import LegatoModels

/// What `legato generate` says about a piece.
struct GenerationReport: Encodable {
  struct Settings: Encodable {
    /// Nil for the model without a style.
    var style: String?
    var temperature: Float
    var steps: Int
    var contextNoise: Float
    var feedbackGain: Float
    var threads: Int
    var instructionSet: String

    enum CodingKeys: String, CodingKey {
      case style, temperature, steps, threads
      case contextNoise = "context_noise"
      case feedbackGain = "feedback_gain"
      case instructionSet = "instruction_set"
    }
  }

  struct Model: Encodable {
    var name: String
    var path: String
    var licence: String
  }

  var path: String
  var picture: String?
  var seed: UInt64
  /// Seconds of sound in the file, the prompt's included where it is part of it.
  var seconds: Double
  /// Seconds of sound made in one second; above 1 is faster than it plays.
  var realTimeFactor: Double
  /// From the start of the session, the package being loaded, to the first samples.
  var firstAudioMilliseconds: Double
  /// The most memory that the process has had so far.
  var peakMemoryBytes = MemoryUse.peak
  /// How often the model went back to its last good state.
  var recoveries: Int
  /// Samples that the limiter turned down.
  var limitedSamples: Int
  /// Whether Ctrl-C, or whoever listened, ended it before its time.
  var stopped: Bool
  var model: Model
  var settings: Settings

  enum CodingKeys: String, CodingKey {
    case path, picture, seed, seconds, recoveries, stopped, model, settings
    case realTimeFactor = "real_time_factor"
    case firstAudioMilliseconds = "first_audio_ms"
    case limitedSamples = "limited_samples"
    case peakMemoryBytes = "peak_memory_bytes"
  }

  var text: String {
    func number(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
    var lines = [
      path == OutputNames.standardOutput
        ? "\(number(seconds, 1)) s to standard output" : "\(path)  \(number(seconds, 1)) s"
    ]
    if let picture { lines.append("\(picture)  waveform and spectrogram") }
    lines.append(
      "seed \(seed)  model \(model.name) (\(model.licence))" + (settings.style.map { "  style \($0)" } ?? ""))
    lines.append(
      "real-time factor \(number(realTimeFactor, 2)) (seconds of sound a second), first sound after "
        + "\(number(firstAudioMilliseconds, 0)) ms, \(settings.threads) \(settings.threads == 1 ? "thread" : "threads"), \(settings.instructionSet)"
    )
    if recoveries > 0 {
      lines.append("went back to a good state \(recoveries) times: the model may need more training")
    }
    if stopped { lines.append("stopped before its time") }
    return lines.joined(separator: "\n")
  }
}
