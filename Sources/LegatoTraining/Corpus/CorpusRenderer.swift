import Dispatch
import Foundation
import LegatoAudio
import Synchronization

/// What the folder of a corpus holds, while pieces are rendered into it and afterwards.
public struct CorpusSummary: Sendable {
  public let manifest: URL
  /// Finished pieces, those of earlier calls included. While rendering, the latest is the last.
  public internal(set) var rows: [CorpusManifestRow]
  /// Hours of all pieces that are asked for.
  public let totalHours: Double
  /// Pieces made by this call.
  public internal(set) var rendered = 0

  public var pieces: Int { rows.count }
  public var hours: Double { rows.reduce(0) { $0 + $1.durationS } / 3600 }
  public var hoursBySplit: [CorpusSplit: Double] {
    rows.reduce(into: [:]) { $0[$1.split, default: 0] += $1.durationS / 3600 }
  }
  public var heldOutInstruments: [String] {
    Set(rows.filter { $0.split == .heldOutInstruments }.map(\.instrument)).sorted()
  }
}

/// Renders single-instrument pieces into `options.output`: `audio/*.wav`, `manifest.jsonl`, `corpus.json`.
///
/// The same options give the same files, byte for byte, at any number of threads. Pieces that the folder's
/// manifest lists are kept, so the same call continues what was interrupted, and more hours add to it.
/// - Parameters:
///   - progress: called after every piece, from one thread at a time.
///   - isCancelled: asked about once for every second of audio; true ends with `CorpusError.cancelled`,
///     and leaves nothing half-written.
/// - Throws: `CorpusError`, and `AudioError` where a sound file cannot be written (a full disk).
@discardableResult
public func renderCorpus(
  _ options: CorpusOptions, progress: @escaping @Sendable (CorpusSummary) -> Void = { _ in },
  isCancelled: @escaping @Sendable () -> Bool = { false }
) throws -> CorpusSummary {
  try options.validate()
  let pieces = try PiecePlan.pieces(options)
  let renderer = try PieceRenderer(options)
  let folder = try CorpusFolder(options, soundFont: renderer.soundFont, plan: pieces)
  let totalHours = pieces.reduce(0) { $0 + $1.seconds } / 3600
  let work = Mutex(
    CorpusWork(
      pending: pieces.dropFirst(folder.rows.count), listed: folder.rows.count,
      summary: CorpusSummary(manifest: folder.manifest, rows: folder.rows, totalHours: totalHours)))

  DispatchQueue.concurrentPerform(iterations: min(options.threads, pieces.count)) { _ in
    while let piece = work.withLock({ $0.error == nil ? $0.pending.popFirst() : nil }) {
      do {
        let row = try renderer.render(piece, options) {
          if isCancelled() || work.withLock({ $0.error != nil }) { throw CorpusError.cancelled }
        }
        try work.withLock {
          try $0.finish(row, at: piece.index, in: folder)
          progress($0.summary)
        }
      } catch {
        // The first reason counts, and ends the work of all.
        work.withLock { $0.error = $0.error ?? error }
      }
    }
  }
  return try work.withLock { work in
    if let error = work.error { throw error }
    work.summary.rows.sort { $0.id < $1.id }
    return work.summary
  }
}

/// What is left to do. Pieces are handed out in order, and their rows wait until all before them are listed:
/// the manifest is in order whoever finishes first.
private struct CorpusWork {
  var pending: ArraySlice<PiecePlan>
  var waiting: [Int: CorpusManifestRow] = [:]
  var listed: Int
  var summary: CorpusSummary
  var error: (any Error)?

  mutating func finish(_ row: CorpusManifestRow, at index: Int, in folder: CorpusFolder) throws {
    waiting[index] = row
    while let next = waiting.removeValue(forKey: listed) {
      try folder.append(next)
      listed += 1
    }
    summary.rows.append(row)
    summary.rendered += 1
  }
}

extension PieceRenderer {
  /// Composes a piece, renders it into its file, and describes it.
  fileprivate func render(
    _ piece: PiecePlan, _ options: CorpusOptions, checkpoint: () throws -> Void
  ) throws -> CorpusManifestRow {
    let score = Composer(instrument: piece.instrument, seed: piece.seed).compose(seconds: piece.seconds)
    let longest = max(options.secondsRange.upperBound, piece.seconds)
    let audio = try render(score, longest: longest, checkpoint: checkpoint)
    let file = options.output.appendingPathComponent(piece.path).path
    let writer = try WAVWriter(file, sampleRate: sampleRate, channels: audio.channelCount)
    try writer.append(audio)
    try writer.finish()
    let font = soundFont.lastPathComponent
    let licence =
      font.hasPrefix("FluidR3")
      ? "CC0-1.0 (composition and recording); sound font \(font): MIT"
      : "CC0-1.0 (composition); sound font \(font): see its licence"
    return CorpusManifestRow(
      id: piece.id, path: piece.path, split: piece.split, seed: piece.seed,
      compositionVersion: Composer.version, composedS: piece.seconds, durationS: audio.duration,
      sampleRate: sampleRate, channels: audio.channelCount, program: piece.instrument.program,
      instrument: piece.instrument.name,
      family: piece.instrument.family, key: score.tonic, mode: score.mode, tempoBpm: score.tempo,
      meter: score.meter, style: score.style, form: score.form, caption: score.caption, licence: licence)
  }
}
