import ArgumentParser
import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor
import LegatoTraining

/// `legato measure`: figures that tell music from noise, a drone or silence.
struct Measure: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure onsets, pitch, change and level of recordings.",
    discussion: """
      For each file: notes or chords that begin (a second), pitch salience (1 a clear pitch, 0 noise), entropy of the \
      pitch classes (bits, at most 3.58), mean change of the log-mel spectrum over one second, spectral centroid (Hz), \
      level (dBFS) and the share of silence. Several files get a summary. Measure generated sound beside real sound of \
      the same length: the figures describe, and say nothing by themselves.

        legato measure out/*.wav
        legato measure --from 60 --seconds 30 data/corpus/audio/*.wav --json
      """)

  @Argument(help: ArgumentHelp("Recordings.", valueName: "file"))
  var files: [String]

  @Option(help: "Measure from this second on.")
  var from = 0.0

  @Option(help: "Seconds to measure. (default: to the end)")
  var seconds: Double?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard from >= 0, from < 1e7 else { throw ValidationError("--from is \(from); it must be from 0 on") }
    if let seconds, !(2...86_400).contains(seconds) {
      throw ValidationError("--seconds is \(seconds); it must be from 2 to 86400")
    }
  }

  func run() throws {
    let engine = CPUEngine(threads: threads.value)
    let progress = ProgressLine(
      "measure", total: files.count, unit: "file", style: reporting.terminalProgress)
    var measures: [MusicMeasure] = []
    for (index, file) in files.enumerated() {
      let sound = try excerpt(file)
      do {
        measures.append(try MusicMeasure(sound, engine: engine))
      } catch let error as EvaluationError {
        throw CommandError("\(file): \(error)")
      }
      progress.update(index + 1)
    }
    progress.finish()
    if reporting.json {
      for (file, measure) in zip(files, measures) {
        try StandardOutput.json(MeasuredFile(file: file, measure: measure))
      }
    } else {
      try StandardOutput.line(table(measures))
    }
  }

  private func excerpt(_ file: String) throws -> AudioBuffer {
    guard from > 0 || seconds != nil else { return try AudioFile.read(file) }
    let info = try AudioFile.info(file)
    let rate = Double(info.sampleRate)
    let first = Int(from * rate)
    let wanted = seconds.map { Int($0 * rate) } ?? .max
    // Only what is measured is read, where the length is known; else all of it tells.
    let whole = info.framesAreExact ? nil : try AudioFile.read(file)
    let frames = whole?.frameCount ?? info.frames ?? 0
    guard first < frames else {
      throw CommandError(
        "\(file): it lasts \(String(format: "%.1f", Double(frames) / rate)) s, and --from is \(from)")
    }
    let range = first..<first + min(wanted, frames - first)
    return try whole?.slice(frames: range) ?? AudioFile.read(file, frames: range)
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

extension String {
  /// With spaces in front, up to a width.
  fileprivate func padded(_ width: Int) -> String {
    String(repeating: " ", count: max(0, width - count)) + self
  }
}
