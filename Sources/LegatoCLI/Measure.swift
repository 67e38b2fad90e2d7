import ArgumentParser
import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor
import LegatoTraining

/// `legato measure`: figures that tell music from noise, a drone or silence, and the distance from real music.
struct Measure: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure onsets, pitch, change and level of recordings, and their distance from real ones.",
    discussion: """
      For each file: notes or chords that begin (a second), pitch salience (1 a clear pitch, 0 noise), entropy of the \
      pitch classes (bits, at most 3.58), mean change of the log-mel spectrum over one second, spectral centroid (Hz), \
      level (dBFS) and the share of silence. Several files get a summary. Measure generated sound beside real sound of \
      the same length: the figures describe, and say nothing by themselves.

      With --reference, how far all the files together are from real recordings: Fréchet distance and unbiased MMD of \
      log-mel patches (0.96 s of 64 bands, 16 principal components of the reference), with 95 % intervals from leaving \
      out files one by one, and what as many real recordings reach against the others. Files that are themselves in the \
      reference are compared with the rest of it.

        legato measure out/*.wav
        legato measure --from 60 --seconds 30 data/corpus/audio/*.wav --json
        legato measure out/*.wav --reference data/held-out
      """)

  @Argument(help: ArgumentHelp("Recordings.", valueName: "file"))
  var files: [String]

  @Option(help: "Measure from this second on.")
  var from = 0.0

  @Option(help: "Seconds to measure. (default: to the end)")
  var seconds: Double?

  @Option(
    help: ArgumentHelp("Real recordings to compare with: a folder or a manifest.", valueName: "recordings"))
  var reference: String?

  @Option(help: "Only this split of the reference, train, validation or test; repeat it for several.")
  var split: [RecordingList.Split] = []

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard from >= 0, from < 1e7 else { throw ValidationError("--from is \(from); it must be from 0 on") }
    if let seconds, !(2...86_400).contains(seconds) {
      throw ValidationError("--seconds is \(seconds); it must be from 2 to 86400")
    }
  }

  func run() throws {
    let real = try reference.map { try RealRecordings($0, splits: split) }
    let progress = ProgressLine(
      "measure", total: files.count, unit: "file", style: reporting.terminalProgress)
    let measures = try ParallelWork.map(files.count, threads: threads.value, done: { progress.update($0) }) {
      index in
      do {
        return try MusicMeasure(try excerpt(files[index]), engine: CPUEngine(threads: 1))
      } catch let error as EvaluationError {
        throw CommandError("\(files[index]): \(error)")
      }
    }
    progress.finish()
    if reporting.json {
      for (file, measure) in zip(files, measures) {
        try StandardOutput.json(MeasuredFile(file: file, measure: measure))
      }
    } else {
      try StandardOutput.line(table(measures))
    }
    guard let real else { return }
    let comparison = try comparison(with: real)
    if reporting.json {
      try StandardOutput.json(comparison)
    } else {
      try StandardOutput.line("\n" + comparison.text)
    }
  }

  private func comparison(with real: RealRecordings) throws -> ReferenceComparison {
    let recordings = try real.measured(
      stretch: nil, threads: threads.value, label: "reference", style: reporting.terminalProgress)
    let embedding = try PatchEmbedding(fittedOn: recordings.map(\.frames))
    let set = try ReferenceSet(
      recordings.map { embedding.rows($0.frames) }, dimension: embedding.dimension)
    let progress = ProgressLine(
      "compare", total: files.count, unit: "file", style: reporting.terminalProgress)
    let rows = try ParallelWork.map(files.count, threads: threads.value, done: { progress.update($0) }) {
      index in
      let sound = try StretchMeter.measure(
        file: files[index], from: from, seconds: seconds, engine: CPUEngine(threads: 1))
      return embedding.rows(sound.frames)
    }
    progress.finish()
    let own = Set(files.map(RealRecordings.identity))
    let same = real.items.indices.filter { own.contains(RealRecordings.identity(real.items[$0].path)) }
    guard same.count < real.items.count, let distance = set.distance(rows, leavingOut: Set(same)) else {
      throw CommandError(
        "\(real.source): the reference has no other recordings than those that are measured; name others")
    }
    return ReferenceComparison(
      reference: real.source, recordings: real.items.count - same.count, patches: set.count,
      components: embedding.dimension, explainedVariance: embedding.projection.explained,
      bandwidth: set.bandwidth, distance: distance, floor: set.floor(units: files.count))
  }

  private func excerpt(_ file: String) throws -> AudioBuffer {
    guard from > 0 || seconds != nil else { return try AudioFile.read(file) }
    let sound = try AudioFile.read(file, from: from, seconds: seconds)
    guard sound.frameCount > 0 else {
      let duration = String(format: "%.1f", try AudioFile.duration(file))
      throw CommandError("\(file): it lasts \(duration) s, and --from is \(from)")
    }
    return sound
  }

  private func table(_ measures: [MusicMeasure]) -> String {
    let columns: [(String, KeyPath<MusicMeasure, Double>, Int)] = [
      ("onsets/s", \.onsetsPerSecond, 2), ("salience", \.pitchSalience, 3),
      ("classes", \.pitchClassEntropy, 2),
      ("change", \.changePerSecond, 2), ("centroid", \.spectralCentroid, 0), ("level", \.levelDBFS, 1),
      ("silence", \.silenceShare, 3),
    ]
    func row(_ name: String, _ cell: (KeyPath<MusicMeasure, Double>, Int) -> String) -> String {
      columns.map { _, path, digits in cell(path, digits).padded(9) }.joined() + "  " + name
    }
    func number(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
    var lines = [columns.map { $0.0.padded(9) }.joined() + "  file"]
    for (file, measure) in zip(files, measures) {
      lines.append(row((file as NSString).lastPathComponent) { number(measure[keyPath: $0], $1) })
    }
    guard measures.count > 1 else { return lines.joined(separator: "\n") }
    for (name, share) in [("5 %", 0.05), ("median", 0.5), ("95 %", 0.95)] {
      lines.append(
        row(name) { path, digits in
          let sorted = measures.map { $0[keyPath: path] }.sorted()
          return number(sorted[Int((Double(sorted.count - 1) * share).rounded())], digits)
        })
    }
    return lines.joined(separator: "\n")
  }
}

private struct MeasuredFile: Encodable {
  var file: String
  var measure: MusicMeasure
}

private struct ReferenceComparison: Encodable {
  var reference: String
  var recordings: Int
  var patches: Int
  var components: Int
  var explainedVariance: Double
  var bandwidth: Double
  var distance: SetDistance
  var floor: DistanceFloor?

  enum CodingKeys: String, CodingKey {
    case reference, recordings, patches, components, distance, floor
    case explainedVariance = "explained_variance"
    case bandwidth = "mmd_bandwidth"
  }

  var text: String {
    var lines = [
      "against \(recordings) real recordings (\(patches) log-mel patches on \(components) principal components, "
        + "\(String(format: "%.0f", explainedVariance * 100)) % of the variance):",
      "Fréchet distance  \(distance.frechet.text)",
    ]
    if let discrepancy = distance.discrepancy { lines.append("MMD, squared      \(discrepancy.text)") }
    if let floor {
      lines.append(
        "\(floor.recordings) real recordings against the others: Fréchet distance \(Estimate.digits(floor.frechet))"
          + (floor.discrepancy.map { ", MMD \(Estimate.digits($0))" } ?? ""))
    }
    if let warning = distance.warning { lines.append("caution: \(warning)") }
    return lines.joined(separator: "\n")
  }
}
