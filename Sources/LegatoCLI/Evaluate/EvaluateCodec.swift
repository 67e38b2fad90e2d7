import ArgumentParser
import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato evaluate codec`: what a codec keeps of recordings.
struct EvaluateCodec: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "codec",
    abstract: "Measure what a codec keeps of recordings.",
    discussion: """
      Sends the middle of each recording through the codec and back, and compares: log-mel distance (80 bands, nats), \
      multi-resolution STFT distance (FFT 2048, 1024 and 512) and SI-SDR (dB). Means over recordings with 95 % intervals, \
      which are the recordings'.

        legato evaluate codec data/held-out
        legato evaluate codec data/corpus --split test --codec runs/codec/package --json
      """)

  @Argument(help: ArgumentHelp("A folder, a manifest, or one file.", valueName: "recordings"))
  var recordings: String

  @Option(help: "Only this split of the recordings: train, validation or test; repeat it for several.")
  var split: [RecordingList.Split] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A codec package, or a model package that holds one. (default: LEGATO_MODEL, or the package that ships)",
      valueName: "folder"))
  var codec: String?

  @Option(help: "Seconds of each recording, from its middle.")
  var seconds = 30.0

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (1...3600).contains(seconds) else {
      throw ValidationError("--seconds is \(seconds); it must be from 1 to 3600")
    }
  }

  func run() throws {
    let package = try CodecPackage(path: PackageLocation.findCodec(codec))
    let list = try SoundFiles(label: "recordings", source: recordings, splits: split, keepsCopies: false)
    let progress = ProgressLine(
      "codec", total: list.items.count, unit: "recording", style: reporting.terminalProgress)
    let results = try ParallelWork.map(
      list.items.count, threads: threads.value, done: { progress.update($0) }
    ) { try measure(list.items[$0], package.codec) }
    progress.finish()
    let report = try CodecEvaluation(package, list, results)
    for warning in report.warnings where !reporting.json { StandardError.write("warning: \(warning)\n") }
    if reporting.json { try StandardOutput.json(report) } else { try StandardOutput.line(report.text) }
  }

  private func measure(_ item: SoundFiles.Item, _ codec: SpectralCodec) throws -> CodecEvaluation.Recording {
    let length = try AudioFile.duration(item.path)
    let sound = try AudioFile.read(item.path, from: max(0, (length - seconds) / 2), seconds: seconds)
      .converted(toChannels: codec.channels).resampled(to: codec.sampleRate)
    guard sound.frameCount >= codec.samplesPerFrame else {
      throw CommandError("\(item.path): it is shorter than one latent of the codec; leave it out")
    }
    let engine = CPUEngine(threads: 1)
    let copy = try CodecRoundTrip.reconstruct(sound, with: codec, engine: engine)
    let stft = try MultiResolutionSTFTDistance()(reference: sound, estimate: copy, engine: engine)
    return .init(
      recording: item.path, seconds: sound.duration,
      melDistance: try MelDistance(sampleRate: codec.sampleRate)(
        reference: sound, estimate: copy, engine: engine),
      spectralConvergence: stft.spectralConvergence.isFinite ? stft.spectralConvergence : nil,
      logMagnitude: stft.logMagnitude,
      distortion: try SignalDistortion()(reference: sound, estimate: copy))
  }
}

/// What `legato evaluate codec` tells.
private struct CodecEvaluation: Encodable {
  struct Recording: Encodable {
    var recording: String
    var seconds: Double
    var melDistance: Double
    /// Nil for silence.
    var spectralConvergence: Double?
    var logMagnitude: Double
    /// SI-SDR; nil for silence.
    var distortion: Double?

    enum CodingKeys: String, CodingKey {
      case recording, seconds
      case melDistance = "mel_distance"
      case spectralConvergence = "spectral_convergence"
      case logMagnitude = "log_magnitude"
      case distortion = "si_sdr_db"
    }
  }

  var codec: String
  var weights: String
  var recordings: Int
  var seconds: Double
  var melDistance: Estimate
  var spectralConvergence: Estimate?
  var logMagnitude: Estimate
  var distortion: Estimate?
  var results: [Recording]
  var warnings: [String]

  enum CodingKeys: String, CodingKey {
    case codec, recordings, seconds, results, warnings
    case weights = "weights_sha256"
    case melDistance = "mel_distance"
    case spectralConvergence = "spectral_convergence"
    case logMagnitude = "log_magnitude"
    case distortion = "si_sdr_db"
  }

  init(_ package: CodecPackage, _ list: SoundFiles, _ results: [Recording]) throws {
    guard let mel = Estimate(meanOf: results.map(\.melDistance)),
      let magnitude = Estimate(meanOf: results.map(\.logMagnitude))
    else { throw CommandError("\(list.source): there are no recordings in it") }
    codec = package.configuration.name
    weights = try package.sha256()
    (recordings, seconds) = (results.count, results.reduce(0) { $0 + $1.seconds })
    (melDistance, logMagnitude, self.results) = (mel, magnitude, results)
    spectralConvergence = Estimate(meanOf: results.compactMap(\.spectralConvergence))
    distortion = Estimate(meanOf: results.compactMap(\.distortion))
    warnings = list.warnings
    let silent = results.count { $0.distortion == nil }
    if silent > 0 {
      warnings.append(
        "\(silent) of \(results.count) recordings are silent, or nothing of them is left: SI-SDR is of the others"
      )
    }
    if results.count == 1 { warnings.append("one recording gives no interval") }
  }

  var text: String {
    let rows = [
      ("log-mel distance, nats", melDistance.text),
      ("spectral convergence", spectralConvergence?.text ?? "–"),
      ("log-magnitude, nats", logMagnitude.text), ("SI-SDR, dB", distortion?.text ?? "–"),
    ]
    let width = rows.map(\.0.count).max() ?? 0
    return
      ([
        "codec \(codec), \(recordings) recordings, \(Estimate.digits(seconds / 60)) minutes, mean (95 % interval)"
      ]
      + rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count) + "  " + $0.1 }).joined(
        separator: "\n")
  }
}
