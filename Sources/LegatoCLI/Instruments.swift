import ArgumentParser
import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato instruments`: whether a continuation keeps its prompt's instrument.
struct Instruments: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure whether continuations keep the instrument of their prompts.",
    discussion: """
      Trains a small classifier (linear discriminants on the timbre of excerpts) on recordings with labels, plain and \
      through the model's codec, in a minute or two. \
      Then takes an excerpt from the middle of each prompt recording, lets the model continue it, and asks to which \
      instrument the continuation is nearest. The same question about what the recording itself goes on with, plain and \
      through the codec, says how far the classifier is to be believed. Medians of level, pitch salience, onsets and \
      change show what a class does not: a continuation that is faint, out of tune or stuck.

        legato instruments --training data/corpus --prompts data/held-out
        legato instruments --training data/corpus --prompts data/corpus --split test --model runs/mine/package
      """)

  @Option(
    help: ArgumentHelp(
      "A manifest with labels, or its folder: what the classifier learns from.", valueName: "recordings"))
  var training: String

  @Option(
    help: ArgumentHelp(
      "A manifest with labels, or its folder: recordings to be continued. What --training trains on is left out.",
      valueName: "recordings"))
  var prompts: String

  @Option(help: "Only this split of the prompts: train, validation or test; repeat it for several.")
  var split: [RecordingList.Split] = []

  @Option(help: "The manifests' field that holds the label.")
  var label = "instrument"

  @Option(name: .shortAndLong, help: "A model package. (default: LEGATO_MODEL, or the package that ships)")
  var model: String?

  @Option(help: "Length of a prompt.")
  var promptSeconds = 10.0

  @Option(help: "Length of a continuation, and of the excerpts that are learned from.")
  var seconds = 20.0

  @Option(help: "Prompts at most, evenly chosen. (default: all)")
  var count: Int?

  @Option(help: "The first prompt's seed.")
  var seed: UInt64 = 1

  @OptionGroup var settings: GenerationSettings
  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (1...600).contains(promptSeconds), (1...600).contains(seconds) else {
      throw ValidationError("--prompt-seconds and --seconds must be from 1 to 600")
    }
    if let count, count < 1 { throw ValidationError("--count is \(count); it must be at least 1") }
  }

  func run() throws {
    let package = try ModelPackage(path: PackageLocation.find(model))
    let seen = try labelled(RealRecordings(training, splits: [.train]))
    let held = try labelled(
      RealRecordings(
        prompts, splits: split, leavingOut: Set(seen.items.map { RealRecordings.identity($0.path) })))
    let classifier = try train(seen, codec: package.codec.codec)
    var known = held.items.filter { classifier.classes.contains($0.labels[label] ?? "") }
    let unknown = held.items.count - known.count
    if let count, count < known.count {
      known = (0..<count).map { known[$0 * known.count / count] }
    }
    let chosen = known
    let progress = ProgressLine(
      "continue", total: chosen.count, unit: "prompt", style: reporting.loggedProgress)
    let outcomes = try ParallelWork.map(chosen.count, threads: threads.value, done: { progress.update($0) }) {
      try outcome(of: chosen[$0], index: $0, package: package, classifier: classifier)
    }
    progress.finish()
    let results = outcomes.compactMap { $0 }
    guard !results.isEmpty else {
      throw CommandError(
        "\(prompts): none of its recordings lasts \(promptSeconds + seconds) s and has a known '\(label)'; give longer "
          + "ones, or shorten --seconds")
    }
    let report = InstrumentReport(
      model: package.configuration.name, classes: classifier.classes, results: results,
      skipped: unknown + outcomes.count - results.count, trainingRecordings: seen.items.count)
    if reporting.json {
      try StandardOutput.json(report)
    } else {
      try StandardOutput.line(report.text)
    }
  }

  private func labelled(_ recordings: RealRecordings) throws -> RealRecordings {
    var recordings = recordings
    recordings.items = recordings.items.filter { $0.labels[label] != nil }
    guard !recordings.items.isEmpty else {
      throw CommandError(
        "\(recordings.source): no recording has a '\(label)'; give a manifest (JSON Lines) with that field, or name "
          + "another with --label")
    }
    return recordings
  }

  /// Excerpts of one recording that are learned from, at most; one of them through the codec too, so that a codec's own
  /// colour is no instrument.
  private static let excerpts = 4

  private func train(_ recordings: RealRecordings, codec: any AudioCodec) throws -> DiscriminantClassifier {
    let length = max(1, Int(seconds * LogMelAnalyser.frameRate)) * LogMelAnalyser.bands
    let progress = ProgressLine(
      "learn", total: recordings.items.count, unit: "recording", style: reporting.loggedProgress)
    let examples = try ParallelWork.map(
      recordings.items.count, threads: threads.value, done: { progress.update($0) }
    ) { index -> [DiscriminantClassifier.Example] in
      let item = recordings.items[index]
      let engine = CPUEngine(threads: 1)
      let frames = try StretchMeter.measure(file: item.path, engine: engine).frames
      let there = frames.count / length
      let kept = min(there, Self.excerpts)
      var features: [[Double]] = []
      for number in 0..<kept {
        let excerpt = number * there / kept
        if let plain = TimbreFeatures.of(frames[excerpt * length..<(excerpt + 1) * length]) {
          features.append(plain)
        }
        guard number == kept / 2,
          let sound = try read(item.path, from: Double(excerpt) * seconds, seconds: seconds, codec: codec),
          let decoded = try Self.features(
            CodecRoundTrip.reconstruct(sound, with: codec, engine: engine), engine: engine)
        else { continue }
        features.append(decoded)
      }
      return features.map { .init(features: $0, label: item.labels[label] ?? "", recording: index) }
    }
    progress.finish()
    return try DiscriminantClassifier(examples.flatMap { $0 })
  }

  /// Nil for a recording that is too short, or silent where it is continued.
  private func outcome(
    of item: RealRecordings.Item, index: Int, package: ModelPackage, classifier: DiscriminantClassifier
  ) throws -> InstrumentReport.Result? {
    let codec = package.codec.codec
    let length = try AudioFile.duration(item.path)
    guard length >= promptSeconds + seconds,
      let excerpt = try read(
        item.path, from: (length - promptSeconds - seconds) / 2, seconds: promptSeconds + seconds,
        codec: codec)
    else { return nil }
    let cut = min(Int(promptSeconds * Double(codec.sampleRate)), excerpt.frameCount)
    let engine = CPUEngine(threads: 1)
    let options = try settings.options(seed: seed + UInt64(index), package: package)
    let session = Session(package, options: options, threads: 1)
    try session.prompt(excerpt.slice(frames: 0..<cut).channels, keepsStyle: settings.style.isChosen)
    var made = [[Float]](repeating: [], count: codec.channels)
    let wanted = excerpt.frameCount - cut
    while made[0].count < wanted {
      let chunk = session.next()
      for channel in made.indices { made[channel] += chunk.channels[channel] }
    }
    let continuation = AudioBuffer(
      sampleRate: codec.sampleRate, channels: made.map { Array($0.prefix(wanted)) })
    let through = try CodecRoundTrip.reconstruct(excerpt, with: codec, engine: engine)
    func heard(_ sound: AudioBuffer) throws -> String? {
      try Self.features(sound, engine: engine).map(classifier.classify)
    }
    let (recorded, decoded) = (
      excerpt.slice(frames: cut..<excerpt.frameCount), through.slice(frames: cut..<through.frameCount)
    )
    guard let real = try heard(recorded) else { return nil }
    func measure(_ sound: AudioBuffer) throws -> MusicMeasure { try MusicMeasure(sound, engine: engine) }
    return .init(
      prompt: item.name, label: item.labels[label] ?? "", real: real,
      codec: try heard(decoded) ?? "silence", continuation: try heard(continuation) ?? "silence",
      measures: min(recorded.duration, continuation.duration) < 2
        ? nil
        : .init(
          real: try measure(recorded), codec: try measure(decoded), continuation: try measure(continuation)))
  }

  private static func features(_ sound: AudioBuffer, engine: CPUEngine) throws -> [Double]? {
    let analyser = LogMelAnalyser(engine: engine)
    analyser.append(
      try sound.converted(toChannels: 1).resampled(to: LogMelAnalyser.sampleRate).channels[0])
    return TimbreFeatures.of(analyser.frames)
  }

  /// A part of a recording at a codec's rate and channels; nil where the recording ends before it.
  private func read(_ path: String, from: Double, seconds: Double, codec: any AudioCodec) throws
    -> AudioBuffer?
  {
    let part = try AudioFile.read(path, from: from, seconds: seconds)
    guard part.frameCount == Int(seconds * Double(part.sampleRate)) else { return nil }
    return try part.converted(toChannels: codec.channels).resampled(to: codec.sampleRate)
  }
}
