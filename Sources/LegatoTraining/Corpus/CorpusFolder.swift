import Foundation
import LegatoAudio

/// The folder that a corpus is rendered into.
struct CorpusFolder: Sendable {
  let options: CorpusOptions
  let manifest: URL
  /// Rows of pieces that are there already, by id.
  let known: [String: CorpusManifestRow]
  private let licence: String

  /// Makes the folder, or continues the corpus in it.
  /// - Throws: `CorpusError.otherCorpus` where it was made with other options, `CorpusError.unwritableFolder`.
  init(_ options: CorpusOptions, soundFont: URL, plan: [PiecePlan]) throws {
    self.options = options
    let audio = options.output.appendingPathComponent("audio")
    let files = FileManager.default
    do {
      try files.createDirectory(at: audio, withIntermediateDirectories: true)
    } catch {
      throw CorpusError.unwritableFolder(options.output.path, reason: Self.reason(error))
    }
    guard files.isWritableFile(atPath: audio.path) else {
      throw CorpusError.unwritableFolder(options.output.path, reason: "permission denied")
    }
    try Self.keepRecipe(of: options, soundFont: soundFont)

    // What the manifest lists in order is kept; from the first gap on it is written again.
    var kept: [CorpusManifestRow] = []
    for (i, row) in try CorpusManifest(folder: options.output).rows.enumerated() {
      if i < plan.count, row.id != plan[i].id || row.seed != plan[i].seed {
        throw CorpusError.otherCorpus(
          folder: options.output.path, difference: "row \(i + 1) is seed \(row.seed)")
      }
      let path = options.output.appendingPathComponent(row.path).path
      let bytes = (try? files.attributesOfItem(atPath: path))?[.size] as? Int ?? 0
      // A file that was cut short is shorter than its samples.
      guard bytes >= Int(row.durationS * Double(row.sampleRate)) * 4 else { break }
      kept.append(row)
    }
    known = Dictionary(kept.map { ($0.id, $0) }) { first, _ in first }
    manifest = options.output.appendingPathComponent(CorpusManifest.fileName)
    try Self.write(try kept.map(CorpusManifest.line).reduce(Data(), +), to: manifest)
    // What a killed process was writing aside.
    for name in try files.contentsOfDirectory(atPath: audio.path) where name.hasPrefix(".legato-") {
      try? files.removeItem(at: audio.appendingPathComponent(name))
    }
    let font = soundFont.lastPathComponent
    licence =
      font.hasPrefix("FluidR3")
      ? "CC0-1.0 (composition and recording); sound font \(font): MIT"
      : "CC0-1.0 (composition); sound font \(font): see its licence"
  }

  /// Renders a piece into its file and describes it.
  func render(_ piece: PiecePlan, with renderer: PieceRenderer, checkpoint: () throws -> Void) throws
    -> CorpusManifestRow
  {
    let score = Composer(instrument: piece.instrument, seed: piece.seed).compose(seconds: piece.seconds)
    let longest = max(options.secondsRange.upperBound, piece.seconds)
    let audio = try renderer.render(score, longest: longest, checkpoint: checkpoint)
    let file = options.output.appendingPathComponent(piece.path).path
    let writer = try WAVWriter(file, sampleRate: options.sampleRate, channels: 2)
    try writer.append(audio)
    try writer.finish()
    return CorpusManifestRow(
      id: piece.id, path: piece.path, split: piece.split, seed: piece.seed,
      compositionVersion: Composer.version,
      durationS: audio.duration, sampleRate: options.sampleRate,
      channels: 2,
      program: score.instrument.program, instrument: score.instrument.name, family: score.instrument.family,
      key: score.tonic, mode: score.mode, tempoBpm: score.tempo, meter: score.meter, style: score.style,
      form: score.form, caption: score.caption, licence: licence)
  }

  /// Adds a row with one write, so that a kill leaves at most one unfinished last line.
  func append(_ row: CorpusManifestRow) throws {
    do {
      let handle = try FileHandle(forWritingTo: manifest)
      defer { try? handle.close() }
      try handle.seekToEnd()
      try handle.write(contentsOf: try CorpusManifest.line(row))
    } catch {
      throw CorpusError.unwritableFile(manifest.path, reason: Self.reason(error))
    }
  }

  /// Writes `corpus.json`: what a corpus was made with, except its hours and threads. Where it is there, it must agree.
  private static func keepRecipe(of options: CorpusOptions, soundFont: URL) throws {
    let bytes = (try? FileManager.default.attributesOfItem(atPath: soundFont.path))?[.size] as? Int ?? 0
    let programs = try Instrument.select(options.instruments).map { "\($0.program)" }
    let recipe = [
      "seed": "\(options.seed)", "programs": programs.joined(separator: " "),
      "seconds_per_piece": "\(options.secondsRange)", "sample_rate": "\(options.sampleRate)",
      "reverb": "\(options.reverb)", "composition_version": "\(Composer.version)",
      "sound_font": "\(soundFont.lastPathComponent), \(bytes) bytes",
    ]
    let file = options.output.appendingPathComponent("corpus.json")
    if let data = FileManager.default.contents(atPath: file.path) {
      let there = (try? JSONDecoder().decode([String: String].self, from: data)) ?? [:]
      for (key, value) in recipe.sorted(by: { $0.key < $1.key }) where there[key] != value {
        throw CorpusError.otherCorpus(
          folder: options.output.path,
          difference: "\(key): \(there[key] ?? "unknown") there, \(value) asked for")
      }
    } else {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
      try write(try encoder.encode(recipe), to: file)
    }
  }

  private static func write(_ data: Data, to file: URL) throws {
    do { try data.write(to: file, options: .atomic) } catch {
      throw CorpusError.unwritableFile(file.path, reason: reason(error))
    }
  }

  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    return ((error.userInfo[NSUnderlyingErrorKey] as? NSError) ?? error).localizedDescription
  }
}
