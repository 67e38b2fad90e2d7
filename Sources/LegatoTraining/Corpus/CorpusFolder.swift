import Foundation
import LegatoTensor

/// The folder that a corpus is rendered into.
struct CorpusFolder: Sendable {
  let manifest: URL
  /// Rows of the pieces that are there already: the first of the plan.
  private(set) var rows: [CorpusManifestRow] = []

  /// Makes the folder, or continues the corpus in it.
  /// - Throws: `CorpusError.folder` where it was made with other options, or cannot be written.
  init(_ options: CorpusOptions, soundFont: URL, plan: [PiecePlan]) throws {
    let folder = options.output
    let audio = folder.appendingPathComponent("audio")
    let files = FileManager.default
    var reason: String?
    do { try files.createDirectory(at: audio, withIntermediateDirectories: true) } catch {
      reason = SystemCallError("create the folder", path: audio.path, error).reason
    }
    if let reason = reason ?? (files.isWritableFile(atPath: audio.path) ? nil : "permission denied") {
      let advice = "Choose another folder or change its permissions"
      throw CorpusError.folder("cannot write to the folder \(folder.path): \(reason). \(advice)")
    }
    try Self.keepRecipe(of: options, soundFont: soundFont)

    // What the manifest lists in order is kept; from the first gap on it is written again.
    for (i, row) in try CorpusManifest(folder: folder).rows.enumerated() {
      if i < plan.count, row.id != plan[i].id || row.seed != plan[i].seed {
        throw Self.otherCorpus(folder, "row \(i + 1) is seed \(row.seed)")
      }
      // A file that was cut short is shorter than its samples.
      let samples = Int(row.durationS * Double(row.sampleRate))
      guard Self.size(folder.appendingPathComponent(row.path)) >= samples * 4 else { break }
      var row = row
      // Manifests of before do not say it.
      if i < plan.count { row.composedS = row.composedS ?? plan[i].seconds }
      rows.append(row)
    }
    manifest = folder.appendingPathComponent(CorpusManifest.fileName)
    try Self.write(try rows.map(CorpusManifest.line).reduce(Data(), +), to: manifest)
    // What a killed process was writing aside.
    for name in try files.contentsOfDirectory(atPath: audio.path) where name.hasPrefix(".legato-") {
      try? files.removeItem(at: audio.appendingPathComponent(name))
    }
  }

  /// Adds a row with one write, so that a kill leaves at most one unfinished last line.
  func append(_ row: CorpusManifestRow) throws {
    try Self.writing(manifest) {
      let handle = try FileHandle(forWritingTo: manifest)
      defer { try? handle.close() }
      try handle.seekToEnd()
      try handle.write(contentsOf: try CorpusManifest.line(row))
    }
  }

  /// Writes `corpus.json`, what a corpus is made with except hours and threads; one that is there must agree.
  private static func keepRecipe(of options: CorpusOptions, soundFont: URL) throws {
    let programs = try Instrument.select(options.instruments).map { "\($0.program)" }
    let recipe = [
      "seed": "\(options.seed)", "programs": programs.joined(separator: " "),
      "seconds_per_piece": "\(options.secondsRange)", "sample_rate": "\(options.sampleRate)",
      "reverb": "\(options.reverb)", "composition_version": "\(Composer.version)",
      "sound_font": "\(soundFont.lastPathComponent), \(size(soundFont)) bytes",
    ]
    let file = options.output.appendingPathComponent("corpus.json")
    guard let data = FileManager.default.contents(atPath: file.path) else {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
      return try write(try encoder.encode(recipe), to: file)
    }
    let there = (try? JSONDecoder().decode([String: String].self, from: data)) ?? [:]
    for (key, value) in recipe.sorted(by: { $0.key < $1.key }) where there[key] != value {
      throw otherCorpus(options.output, "\(key): \(there[key] ?? "unknown") there, \(value) asked for")
    }
  }

  private static func otherCorpus(_ folder: URL, _ difference: String) -> CorpusError {
    .folder(
      "\(folder.path) holds a corpus made with other options (\(difference)). "
        + "Use the same options to continue it, or choose another folder")
  }

  private static func size(_ file: URL) -> Int {
    (try? FileManager.default.attributesOfItem(atPath: file.path))?[.size] as? Int ?? 0
  }

  private static func write(_ data: Data, to file: URL) throws {
    try writing(file) { try DurableFile.write(Array(data), to: file.path) }
  }
  private static func writing(_ file: URL, _ body: () throws -> Void) throws {
    do { try body() } catch {
      throw CorpusError.folder(
        "cannot write \(file.path): \(SystemCallError("write", path: file.path, error).reason)")
    }
  }
}
