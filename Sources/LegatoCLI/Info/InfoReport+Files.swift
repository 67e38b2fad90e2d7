import Foundation
import LegatoAudio
import LegatoTensor
import LegatoTraining

extension InfoReport {
  static func corpus(_ path: String) throws -> InfoReport {
    var report = InfoReport(kind: "corpus", path: path)
    let rows = try CorpusManifest(folder: URL(fileURLWithPath: path)).rows
    let seconds = rows.reduce(0) { $0 + $1.durationS }
    report.add("pieces", "pieces", .integer(rows.count))
    report.add("seconds", "length", .number(seconds), hours(seconds))
    let splits = Dictionary(grouping: rows, by: \.split.rawValue)
    report.add(
      "splits", "pieces by split", .object(splits.mapValues { .integer($0.count) }))
    let instruments = Set(rows.map(\.instrument)).sorted()
    report.add("instruments", "instruments", .text(instruments.joined(separator: ", ")))
    let licences = Set(rows.map(\.licence)).sorted()
    report.add("licence", "licence", .text(licences.joined(separator: "; ")))
    return report
  }

  static func latents(_ path: String) throws -> InfoReport {
    let index = try LatentIndex(folder: path)
    var report = InfoReport(kind: "prepared latents", path: path)
    report.add("pieces", "pieces", .integer(index.pieces.count))
    report.add("seconds", "length", .number(index.hours * 3600), hours(index.hours * 3600))
    let splits = Dictionary(grouping: index.pieces, by: \.split.rawValue)
    report.add("splits", "pieces by split", .object(splits.mapValues { .integer($0.count) }))
    report.add("dimension", "dimensions", .integer(index.dimension))
    report.add("frame_rate", "latents a second", .number(index.frameRate))
    report.add("codec", "codec", .text(index.codecName), "\(index.codecName) at \(index.codecPath)")
    report.add("codec_hash", "codec hash", index.codecHash)
    report.add("source", "recordings", index.source)
    report.add("skipped", "skipped", .integer(index.skipped.count))
    if let check = index.reconstruction {
      report.add("mel_distance", "reconstruction", .number(check.melDistance), Prepare.text(check))
    }
    return report
  }

  static func file(_ path: String) throws -> InfoReport {
    switch (path as NSString).pathExtension.lowercased() {
    case "safetensors": try safetensors(path)
    case "yaml", "yml": try recipe(path)
    default: try sound(path)
    }
  }

  private static func recipe(_ path: String) throws -> InfoReport {
    let recipe = try Recipe(path: path)
    var report = InfoReport(kind: "recipe", path: path)
    report.add("name", "name", recipe.name)
    report.add("trains", "trains", "a \(recipe.kind.rawValue)")
    report.add("data", recipe.kind.dataKey, recipe.data.source)
    report.add("steps", "steps", .integer(recipe.steps))
    report.add("batch_size", "batch", .integer(recipe.batchSize))
    report.add(
      "learning_rate", "learning rate", .number(recipe.optimizer.learningRate),
      "\(recipe.optimizer.learningRate)")
    return report
  }

  private static func safetensors(_ path: String) throws -> InfoReport {
    let file = try SafetensorsFile(path: path)
    if file.metadata["kind"] == "latents", let entry = try? file.entry("latents"), entry.shape.count == 2 {
      var report = InfoReport(kind: "latents", path: path)
      report.add(
        "frames", "latents", .integer(entry.shape[0]), "\(entry.shape[0]) of \(entry.shape[1]) dimensions")
      report.add("dimension", "", .integer(entry.shape[1]))
      if let rate = file.metadata["sample_rate"].flatMap(Double.init),
        let samples = file.metadata["samples"].flatMap(Double.init), rate > 0
      {
        report.add("seconds", "length", .number(samples / rate), hours(samples / rate))
      }
      for (key, title) in [("codec", "codec"), ("codec_hash", "codec hash")] {
        if let value = file.metadata[key] { report.add(key, title, String(value.prefix(200))) }
      }
      return report
    }
    var report = InfoReport(kind: "safetensors file", path: path)
    let count = file.entries.reduce(0) { $0 + $1.elementCount }
    report.add("parameters", "values", .integer(count), parameters(count))
    for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }).prefix(50) {
      report.add("metadata.\(key)", key, String(value.prefix(200)))
    }
    var tensors: [String: Value] = [:]
    for entry in file.entries {
      tensors[entry.name] = .text("\(entry.dtype.rawValue) \(entry.shape)")
    }
    let lines = file.entries.map { "\n    \($0.name)  \($0.dtype.rawValue) \($0.shape)" }
    report.add("tensors", "tensors", .object(tensors), "\(file.entries.count)" + lines.joined())
    return report
  }

  private static func sound(_ path: String) throws -> InfoReport {
    let info = try AudioFile.info(path)
    var report = InfoReport(kind: "sound file", path: path)
    report.add("format", "format", info.format)
    report.add("sample_rate", "sample rate", .integer(info.sampleRate), "\(info.sampleRate) Hz")
    report.add("channels", "channels", .integer(info.channels))
    if let seconds = info.duration {
      report.add("seconds", "length", .number(seconds), String(format: "%.2f s", seconds))
    }
    return report
  }
}
