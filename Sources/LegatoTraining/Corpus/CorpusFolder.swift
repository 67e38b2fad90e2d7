import Foundation

/// The folder that a corpus is rendered into.
struct CorpusFolder: Sendable {
  let url: URL
  let manifest: URL
  /// Rows of pieces that are there already, by id.
  let known: [String: CorpusManifestRow]
  private let licence: String

  /// Makes the folder, or continues the corpus in it.
  /// - Throws: `CorpusError.otherCorpus` where it was made with other options, `CorpusError.unwritableFolder`.
  init(_ options: CorpusOptions, soundFont: URL, plan: [PiecePlan]) throws {
    url = options.output
    manifest = url.appendingPathComponent(CorpusManifest.fileName)
    let font = soundFont.lastPathComponent
    licence =
      font.hasPrefix("FluidR3")
      ? "CC0-1.0 (composition and recording); sound font \(font): MIT"
      : "CC0-1.0 (composition); sound font \(font): see its licence"
    let files = FileManager.default
    do {
      try files.createDirectory(at: url.appendingPathComponent("audio"), withIntermediateDirectories: true)
    } catch {
      throw CorpusError.unwritableFolder(url.path, reason: Self.reason(error))
    }
    guard files.isWritableFile(atPath: url.appendingPathComponent("audio").path) else {
      throw CorpusError.unwritableFolder(url.path, reason: "permission denied")
    }
    try Self.checkOptions(options, soundFont: soundFont, in: url)

    let rows = try CorpusManifest(folder: url).rows
    let planned = Dictionary(uniqueKeysWithValues: plan.map { ($0.id, $0) })
    var known: [String: CorpusManifestRow] = [:]
    // Whole files that the manifest lists in order are kept; from the first gap on it is written again.
    var kept: [CorpusManifestRow] = []
    for (i, row) in rows.enumerated() {
      if i < plan.count, row.id != plan[i].id || row.seed != planned[row.id]?.seed {
        throw CorpusError.otherCorpus(
          folder: url.path, difference: "row \(i + 1) is \(row.id), seed \(row.seed)")
      }
      let file = url.appendingPathComponent(row.path).path
      guard let size = try? files.attributesOfItem(atPath: file)[.size] as? Int, size > 44 else { break }
      kept.append(row)
      known[row.id] = row
    }
    self.known = known
    let text = try kept.map(CorpusManifest.line).reduce(Data(), +)
    if files.contents(atPath: manifest.path) != text { try Self.write(text, to: manifest) }
    // What a killed process was writing.
    for name in (try? files.contentsOfDirectory(atPath: url.appendingPathComponent("audio").path)) ?? []
    where name.hasSuffix(Self.partial) {
      try? files.removeItem(at: url.appendingPathComponent("audio").appendingPathComponent(name))
    }
  }

  private static let partial = ".partial"

  /// Renders a piece into its file and describes it.
  func render(
    _ piece: PiecePlan, with renderer: PieceRenderer, options: CorpusOptions, checkpoint: () throws -> Void
  ) throws -> CorpusManifestRow {
    let score = Composer(instrument: piece.instrument, seed: piece.seed).compose(seconds: piece.seconds)
    let longest = max(options.secondsRange.upperBound, piece.seconds)
    let audio = try renderer.render(score, longest: longest, checkpoint: checkpoint)
    let destination = url.appendingPathComponent(piece.path)
    let aside = URL(fileURLWithPath: destination.path + Self.partial)
    do {
      try writeCorpusAudio(aside.path, options.sampleRate, audio.left, audio.right)
      guard rename(aside.path, destination.path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    } catch {
      try? FileManager.default.removeItem(at: aside)
      throw CorpusError.unwritableFile(destination.path, reason: Self.reason(error))
    }
    return CorpusManifestRow(
      id: piece.id, path: piece.path, split: piece.split, seed: piece.seed,
      compositionVersion: Composer.version,
      durationS: Double(audio.left.count) / Double(options.sampleRate), sampleRate: options.sampleRate,
      channels: 2,
      program: score.instrument.program, instrument: score.instrument.name, family: score.instrument.family,
      key: score.tonic, mode: score.mode, tempoBPM: score.tempo, meter: score.meter, style: score.style,
      form: score.form, caption: score.caption, licence: licence)
  }

  /// Adds a row with one write, so that a kill leaves at most one unfinished last line.
  func append(_ row: CorpusManifestRow) throws {
    do {
      let line = try CorpusManifest.line(row)
      if !FileManager.default.fileExists(atPath: manifest.path) { try Data().write(to: manifest) }
      let handle = try FileHandle(forWritingTo: manifest)
      defer { try? handle.close() }
      try handle.seekToEnd()
      try handle.write(contentsOf: line)
    } catch {
      throw CorpusError.unwritableFile(manifest.path, reason: Self.reason(error))
    }
  }

  // MARK: - Options of the folder

  /// What a corpus was made with, except its hours and threads.
  private struct Recipe: Codable, Equatable {
    var seed: UInt64
    var programs: [Int]
    var minimumSeconds: Double
    var maximumSeconds: Double
    var sampleRate: Int
    var reverb: Double
    var compositionVersion: Int
    var soundFont: String
    var soundFontBytes: Int

    func difference(from other: Recipe) -> String? {
      for (name, mine, its) in [
        ("seed", "\(seed)", "\(other.seed)"), ("instruments", "\(programs)", "\(other.programs)"),
        (
          "lengths of pieces", "\(minimumSeconds)...\(maximumSeconds) s",
          "\(other.minimumSeconds)...\(other.maximumSeconds) s"
        ), ("sample rate", "\(sampleRate)", "\(other.sampleRate)"),
        ("reverb", "\(reverb)", "\(other.reverb)"),
        ("composition version", "\(compositionVersion)", "\(other.compositionVersion)"),
        (
          "sound font", "\(soundFont), \(soundFontBytes) bytes",
          "\(other.soundFont), \(other.soundFontBytes) bytes"
        ),
      ] where mine != its { return "\(name): \(its) there, \(mine) asked for" }
      return nil
    }
  }

  private static func checkOptions(_ options: CorpusOptions, soundFont: URL, in folder: URL) throws {
    let file = folder.appendingPathComponent("corpus.json")
    let size = (try? FileManager.default.attributesOfItem(atPath: soundFont.path)[.size] as? Int) ?? 0
    let recipe = Recipe(
      seed: options.seed, programs: try Instrument.select(options.instruments).map(\.program),
      minimumSeconds: options.secondsRange.lowerBound, maximumSeconds: options.secondsRange.upperBound,
      sampleRate: options.sampleRate, reverb: options.reverb, compositionVersion: Composer.version,
      soundFont: soundFont.lastPathComponent, soundFontBytes: size)
    if let data = FileManager.default.contents(atPath: file.path) {
      guard let there = try? JSONDecoder().decode(Recipe.self, from: data) else {
        throw CorpusError.otherCorpus(folder: folder.path, difference: "corpus.json cannot be read")
      }
      if let difference = recipe.difference(from: there) {
        throw CorpusError.otherCorpus(folder: folder.path, difference: difference)
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
    if let error = error as? CorpusError { return error.description }
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    return (underlying ?? error as NSError).localizedDescription
  }
}
