import Dispatch
import Foundation
import Synchronization

/// How far rendering has come.
public struct CorpusProgress: Sendable {
  /// Pieces finished, those of earlier calls included.
  public var pieces: Int
  public var totalPieces: Int
  public var hours: Double
  public var totalHours: Double
  /// The piece that was just finished.
  public var latest: CorpusManifestRow
}

/// What a folder holds after rendering.
public struct CorpusSummary: Sendable, Equatable {
  public var pieces: Int
  /// Pieces made by this call.
  public var rendered: Int
  public var hours: Double
  public var hoursBySplit: [CorpusSplit: Double]
  public var heldOutInstruments: [String]
  public var manifest: URL
}

/// Renders a corpus of single-instrument pieces into `options.output`: `audio/*.wav`, `manifest.jsonl`, `corpus.json`.
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
  _ options: CorpusOptions, progress: @escaping @Sendable (CorpusProgress) -> Void = { _ in },
  isCancelled: @escaping @Sendable () -> Bool = { false }
) throws -> CorpusSummary {
  try options.validate()
  let pieces = try PiecePlan.pieces(options)
  let soundFont = try options.findSoundFont()
  let renderer = PieceRenderer(
    library: try FluidSynthLibrary(), soundFont: soundFont.path, sampleRate: options.sampleRate,
    reverb: options.reverb)
  let folder = try CorpusFolder(options, soundFont: soundFont, plan: pieces)
  let work = Mutex(CorpusWork(pieces: pieces, rows: pieces.map { folder.known[$0.id] }))
  let totalHours = pieces.reduce(0) { $0 + $1.seconds } / 3600

  DispatchQueue.concurrentPerform(iterations: min(options.threads, pieces.count)) { _ in
    while let piece = work.withLock({ $0.next() }) {
      do {
        let row = try folder.render(piece, with: renderer) {
          if isCancelled() || work.withLock({ $0.error != nil }) { throw CorpusError.cancelled }
        }
        try work.withLock { work in
          for finished in work.deliver(row, at: piece.index) { try folder.append(finished) }
          let done = work.rows.compactMap { $0 }
          progress(
            CorpusProgress(
              pieces: done.count, totalPieces: pieces.count,
              hours: done.reduce(0) { $0 + $1.durationS } / 3600,
              totalHours: totalHours, latest: row))
        }
      } catch {
        // The first reason counts, and ends the work of all.
        work.withLock { $0.error = $0.error ?? error }
      }
    }
  }
  if let error = work.withLock({ $0.error }) { throw error }

  let rows = try CorpusManifest(folder: options.output).rows
  return CorpusSummary(
    pieces: rows.count, rendered: pieces.count { folder.known[$0.id] == nil },
    hours: rows.reduce(0) { $0 + $1.durationS } / 3600,
    hoursBySplit: rows.reduce(into: [:]) { $0[$1.split, default: 0] += $1.durationS / 3600 },
    heldOutInstruments: Set(rows.filter { $0.split == .heldOutInstruments }.map(\.instrument)).sorted(),
    manifest: folder.manifest)
}

/// Pieces are handed out in order, and their rows wait until all before them are listed: the manifest is in
/// order whoever finishes first.
private struct CorpusWork {
  let pieces: [PiecePlan]
  var rows: [CorpusManifestRow?]
  var error: (any Error)?
  private var position = 0
  private var listed: Int

  init(pieces: [PiecePlan], rows: [CorpusManifestRow?]) {
    self.pieces = pieces
    self.rows = rows
    listed = rows.prefix { $0 != nil }.count
  }

  mutating func next() -> PiecePlan? {
    guard error == nil, let next = rows.indices[position...].first(where: { rows[$0] == nil }) else {
      return nil
    }
    position = next + 1
    return pieces[next]
  }

  /// Takes a row and gives those that may now be listed.
  mutating func deliver(_ row: CorpusManifestRow, at index: Int) -> [CorpusManifestRow] {
    rows[index] = row
    let ready = rows[listed...].prefix { $0 != nil }.compactMap { $0 }
    listed += ready.count
    return ready
  }
}
