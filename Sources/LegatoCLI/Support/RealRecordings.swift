import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor
import LegatoTraining

/// Real recordings that generated sound is compared with.
struct RealRecordings: Sendable {
  struct Item: Sendable {
    var path: String
    /// As the folder or manifest names it.
    var name: String
    var labels: [String: String]
  }

  var source: String
  var items: [Item]
  /// What a reader of the figures should know.
  var warnings: [String] = []

  /// - Parameters:
  ///   - splits: only these parts of a manifest; empty for all.
  ///   - leavingOut: files that may not be among them, such as those of training.
  init(_ source: String, splits: [RecordingList.Split], leavingOut: Set<String> = []) throws {
    self.source = source
    let list = try RecordingList(source: source)
    items = list.items.filter { item in
      (splits.isEmpty || splits.contains(item.split)) && !leavingOut.contains(Self.identity(item.path))
    }.map { Item(path: $0.path, name: $0.name, labels: $0.labels) }
    guard !items.isEmpty else {
      throw CommandError(
        "\(source): none of its \(list.items.count) recordings is left"
          + (splits.isEmpty ? "" : " in the split " + splits.map(\.rawValue).joined(separator: ", "))
          + "; give recordings that training has not seen")
    }
    if let note = list.noteOfCopies { warnings.append(note) }
    let kinds = Set(list.items.map(\.split))
    if splits.isEmpty, leavingOut.isEmpty, kinds.contains(.train), kinds.count > 1 {
      warnings.append(
        "\(source) marks some recordings for training, which are measured too; choose with --split if a model trained "
          + "on them")
    }
  }

  /// The same for every path that leads to a file.
  static func identity(_ path: String) -> String {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
  }

  /// Log-mel frames of all, and music's figures of each stretch where there are stretches.
  func measured(stretch: Double?, threads: Int, label: String, style: ProgressStyle) throws
    -> [MeasuredSound]
  {
    let progress = ProgressLine(label, total: items.count, unit: "recording", style: style)
    defer { progress.finish() }
    return try ParallelWork.map(items.count, threads: threads, done: { progress.update($0) }) { index in
      let item = items[index]
      do {
        return try StretchMeter.measure(file: item.path, stretch: stretch, engine: CPUEngine(threads: 1))
      } catch let error as EvaluationError {
        throw CommandError("\(item.path): \(error)")
      }
    }
  }
}
