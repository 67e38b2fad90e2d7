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
/// - Throws: `CorpusError`.
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
  let known = folder.known
  let queue = CorpusQueue(pieces: pieces.map { known[$0.id] == nil ? $0 : nil })
  let state = Mutex(Delivery(rows: pieces.map { known[$0.id] }))
  let totalHours = pieces.reduce(0) { $0 + $1.seconds } / 3600

  DispatchQueue.concurrentPerform(iterations: min(options.threads, max(1, pieces.count))) { _ in
    while let piece = queue.next() {
      do {
        let row = try autoreleased {
          try folder.render(piece, with: renderer, options: options) {
            if isCancelled() { queue.stop(CorpusError.cancelled) }
            if queue.isStopped { throw CorpusError.cancelled }
          }
        }
        try state.withLock { state in
          try state.deliver(row, at: piece.index, to: folder)
          progress(
            CorpusProgress(
              pieces: state.count, totalPieces: pieces.count, hours: state.seconds / 3600,
              totalHours: totalHours,
              latest: row))
        }
      } catch {
        queue.stop(error)
      }
    }
  }
  if let error = queue.error { throw error }

  let rows = try CorpusManifest(folder: options.output).rows
  let heldOut = Set(rows.filter { $0.split == .heldOutInstruments }.map(\.instrument))
  return CorpusSummary(
    pieces: rows.count, rendered: pieces.count - pieces.filter { known[$0.id] != nil }.count,
    hours: rows.reduce(0) { $0 + $1.durationS } / 3600,
    hoursBySplit: rows.reduce(into: [:]) { $0[$1.split, default: 0] += $1.durationS / 3600 },
    heldOutInstruments: heldOut.sorted(), manifest: folder.manifest)
}

private func autoreleased<T>(_ body: () throws -> T) rethrows -> T {
  #if canImport(ObjectiveC)
    try autoreleasepool(invoking: body)
  #else
    try body()
  #endif
}

/// Pieces still to render, handed out in order.
private final class CorpusQueue: Sendable {
  private struct State {
    var pieces: [PiecePlan?]
    var position = 0
    var error: (any Error)?
  }
  private let state: Mutex<State>

  init(pieces: [PiecePlan?]) { state = Mutex(State(pieces: pieces)) }

  func next() -> PiecePlan? {
    state.withLock { state in
      while state.error == nil, state.position < state.pieces.count {
        state.position += 1
        if let piece = state.pieces[state.position - 1] { return piece }
      }
      return nil
    }
  }

  /// Ends the work; the first reason counts.
  func stop(_ error: any Error) { state.withLock { $0.error = $0.error ?? error } }
  var error: (any Error)? { state.withLock { $0.error } }
  var isStopped: Bool { error != nil }
}

/// Rows wait here until all before them are listed, so that the manifest is in order whoever finishes first.
private struct Delivery {
  var rows: [CorpusManifestRow?]
  var listed: Int
  var count: Int
  var seconds: Double

  init(rows: [CorpusManifestRow?]) {
    self.rows = rows
    listed = rows.firstIndex { $0 == nil } ?? rows.count
    count = rows.count { $0 != nil }
    seconds = rows.reduce(0) { $0 + ($1?.durationS ?? 0) }
  }

  mutating func deliver(_ row: CorpusManifestRow, at index: Int, to folder: CorpusFolder) throws {
    rows[index] = row
    count += 1
    seconds += row.durationS
    while listed < rows.count, let next = rows[listed] {
      if folder.known[next.id] == nil { try folder.append(next) }
      listed += 1
    }
  }
}
