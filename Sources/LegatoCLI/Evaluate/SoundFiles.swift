import ArgumentParser
import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTraining
import Synchronization

/// Sounds that are compared, as files.
struct SoundFiles: Sendable {
  struct Item: Sendable {
    var path: String
    /// As the folder or the manifest names it, without its ending: sounds of one name are pairs.
    var name: String
    /// What the manifest says of it.
    var caption: String?
  }

  var label: String
  var source: String
  var items: [Item]
  /// What a reader of the figures should know.
  var warnings: [String] = []

  init(label: String, source: String, items: [Item]) {
    (self.label, self.source, self.items) = (label, source, items)
  }

  /// Recordings of a folder or a manifest, or one file.
  ///
  /// - Parameter keepsCopies: whether recordings of the same bytes all count.
  init(label: String, source: String, splits: [RecordingList.Split], keepsCopies: Bool) throws {
    let list = try RecordingList(source: source, keepsCopies: keepsCopies)
    self.init(
      label: label, source: source,
      items: list.items.filter { splits.isEmpty || splits.contains($0.split) }.map {
        Item(
          path: $0.path, name: ($0.name as NSString).deletingPathExtension, caption: $0.labels["caption"])
      })
    guard !items.isEmpty else {
      throw CommandError(
        "\(source): none of its \(list.items.count) recordings is in the split "
          + splits.map(\.rawValue).joined(separator: ", ") + "; name another, or none for all")
    }
    if let note = list.noteOfCopies { warnings.append("\(label): \(note)") }
  }

  /// Something of each sound, several at once; how it fails names the file.
  func map<Result: Sendable>(
    threads: Int, label: String, style: ProgressStyle,
    _ body: @Sendable (_ sound: AudioBuffer, _ name: String) throws -> Result
  ) throws -> [Result] {
    try map(threads: threads, label: label, style: style, tool: {}) { sound, name, _ in try body(sound, name)
    }
  }

  /// The same with a tool that each thread has one of.
  func map<Tool, Result: Sendable>(
    threads: Int, label: String, style: ProgressStyle, tool: @Sendable () throws -> Tool,
    _ body: @Sendable (_ sound: AudioBuffer, _ name: String, _ tool: Tool) throws -> Result
  ) throws -> [Result] {
    let progress = SharedProgress(label, total: Double(items.count), unit: "sound", style: style)
    defer { progress.finish() }
    let workers = max(1, min(threads, items.count))
    let hasFailed = Mutex(false)
    let parts = try ParallelWork.map(workers, threads: workers) { worker -> [(Int, Result)] in
      do {
        let tool = try tool()
        var results: [(Int, Result)] = []
        for index in stride(from: worker, to: items.count, by: workers) where !hasFailed.withLock({ $0 }) {
          results.append((index, try result(of: items[index], tool, body)))
          progress.add(1)
        }
        return results
      } catch {
        hasFailed.withLock { $0 = true }
        throw error
      }
    }
    return parts.joined().sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// Something of one sound; how it fails names the file.
  func result<Tool, Result>(
    of item: Item, _ tool: Tool, _ body: (AudioBuffer, String, Tool) throws -> Result
  ) throws -> Result {
    if let code = StopSignal.exitCode { throw ExitCode(code) }
    let sound = try AudioFile.read(item.path)
    guard sound.frameCount > 0 else {
      throw CommandError("\(item.path): there is no sound in it; leave it out")
    }
    do {
      return try body(sound, item.name, tool)
    } catch let error as EvaluationError {
      throw CommandError("\(item.path): \(error)")
    }
  }

  /// What the reader of a report is told of the sounds, and warnings of what makes figures worth less.
  func survey(_ description: SoundReport.Source, threads: Int, style: ProgressStyle) throws -> (
    SoundReport.Source, warnings: [String]
  ) {
    let found = try map(threads: threads, label: "read \(label)", style: style) { sound, _ in
      (
        rate: sound.sampleRate, channels: sound.channelCount, seconds: sound.duration,
        isSilent: sound.peak < Self.silence
      )
    }
    var described = description
    described.sounds = found.count
    described.seconds = found.reduce(0) { $0 + $1.seconds }
    for sound in found {
      described.sampleRates["\(sound.rate)", default: 0] += 1
      described.channels["\(sound.channels)", default: 0] += 1
    }
    var warnings = warnings
    let silent = found.indices.filter { found[$0].isSilent }
    if let first = silent.first {
      warnings.append(
        "\(label): \(silent.count) of \(found.count) sounds are silent, such as \(items[first].path)")
    }
    if described.sampleRates.count > 1 {
      warnings.append(
        "\(label): sounds have different rates, \(described.sampleRates.keys.sorted().joined(separator: ", ")) Hz; lower ones "
          + "lack high frequencies")
    }
    if described.channels.count > 1 {
      warnings.append(
        "\(label): sounds have different numbers of channels, "
          + described.channels.keys.sorted().joined(separator: ", "))
    }
    return (described, warnings)
  }

  /// Nothing above −60 dBFS.
  static let silence: Float = 1e-3

  /// How many of the sounds another set has, too: the same files, or copies of them.
  func common(with other: SoundFiles) -> Int {
    RecordingList.countOfCopies(items.map(\.path), of: other.items.map(\.path))
  }
}
