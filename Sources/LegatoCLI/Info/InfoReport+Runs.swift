import Foundation
import LegatoTensor
import LegatoTraining

extension InfoReport {
  static func run(_ path: String) throws -> InfoReport {
    var report = InfoReport(kind: "training run", path: path)
    let recipe = try Recipe(path: path + "/recipe.yaml")
    report.add("name", "name", recipe.name)
    report.add("trains", "trains", "a \(recipe.kind.rawValue)")
    report.add("data", recipe.kind.dataKey, recipe.data.source)
    if let from = recipe.from { report.add("from", "started from", from) }
    if let checkpoint = try RunFolder.latestCheckpoint(ofRun: path) {
      report.addState(checkpoint, of: recipe.steps)
    } else {
      report.add("step", "step", .integer(0), "no checkpoint yet, of \(recipe.steps) steps")
    }
    let package = path + "/package"
    if FileManager.default.fileExists(atPath: package + "/config.json") {
      report.add("package", "package", package)
    }
    if let last = lastLine(path + "/progress.jsonl") { report.add("progress", "last record", last) }
    return report
  }

  static func checkpoint(_ checkpoint: Checkpoint) -> InfoReport {
    var report = InfoReport(kind: "checkpoint", path: checkpoint.path)
    report.addState(checkpoint, of: nil)
    if let file = try? SafetensorsFile(path: checkpoint.file("model.safetensors")) {
      report.add(
        "parameters", "trained parameters",
        .integer(file.entries.reduce(0) { $0 + $1.elementCount }),
        parameters(file.entries.reduce(0) { $0 + $1.elementCount }))
    }
    let bytes = checkpoint.state.files.values.reduce(0, +)
    report.add(
      "bytes", "size", .integer(bytes), "\(Self.bytes(bytes)) in \(checkpoint.state.files.count) files")
    let run = ((checkpoint.path as NSString).deletingLastPathComponent as NSString).deletingLastPathComponent
    if FileManager.default.fileExists(atPath: run + "/recipe.yaml") { report.add("run", "run", run) }
    return report
  }

  private mutating func addState(_ checkpoint: Checkpoint, of steps: Int?) {
    let state = checkpoint.state
    add("step", "step", .integer(state.step), steps.map { "\(state.step) of \($0)" })
    if let steps { add("steps", "", .integer(steps)) }
    add("seconds", "trained", .number(state.seconds), Self.hours(state.seconds))
    let machine = state.machine
    add(
      "machine", "machine",
      .object([
        "processor": .text(machine.processor), "system": .text(machine.system), "torch": .text(machine.torch),
        "threads": .integer(machine.threads), "device": .text(machine.device),
      ]), "\(machine.processor), \(machine.threads) threads, \(machine.device), libtorch \(machine.torch)")
    if steps != nil { add("checkpoint", "checkpoint", checkpoint.path) }
  }

  /// The end of a file that may be long.
  private static func lastLine(_ path: String) -> String? {
    guard let file = FileHandle(forReadingAtPath: path), let size = try? file.seekToEnd() else { return nil }
    defer { try? file.close() }
    let start = size > 4096 ? size - 4096 : 0
    guard (try? file.seek(toOffset: start)) != nil, let data = try? file.readToEnd() else { return nil }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").last.map(String.init)
  }
}
