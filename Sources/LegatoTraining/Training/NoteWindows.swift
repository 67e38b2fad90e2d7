import Foundation
import LegatoAudio
import LegatoModels
import LegatoNN
import LegatoTensor

/// Seconds of a rendered corpus, each with the instruments and keys that sound in it: what a classifier learns from.
///
/// The notes are not stored: the composer writes them again from the manifest's instrument, seed and length.
struct NoteWindows: Sendable {
  struct Piece: Sendable {
    var path: String
    var frames: Int
    /// Place of the instrument among ``instruments``; nil for one that is not trained on.
    var instrument: Int?
    var name, family: String
    var soundings: [Score.Sounding]
  }

  /// Every example has one.
  struct Batch {
    /// `[count, LogFrequencySpectrum.samples]`.
    var samples: [Float] = []
    /// `[count, instruments]`: equal shares of those that sound.
    var instruments: [Float] = []
    /// `[count, 88]`: 1 where a key sounds.
    var keys: [Float] = []
  }

  let instruments: [NoteClassifierConfiguration.Instrument]
  let pieces: [CorpusSplit: [Piece]]
  private static let seconds = Double(LogFrequencySpectrum.samples) / Double(LogFrequencySpectrum.sampleRate)
  /// What sounds for less of a window is not counted.
  private static let shortest = 0.08

  /// - Parameters:
  ///   - corpus: the folder that `legato corpus` rendered.
  ///   - known: the instruments of a package that training starts from; nil for those of the training split.
  /// - Throws: ``TrainingError`` and `CorpusError` where the corpus does not do.
  init(corpus: String, known: [NoteClassifierConfiguration.Instrument]?) throws {
    let rows = try CorpusManifest(folder: URL(fileURLWithPath: corpus)).rows
    let render = "Render a corpus: legato corpus --hours 12 --maximum-minutes 1 --output FOLDER, a new one."
    guard !rows.isEmpty else {
      throw TrainingError("\(corpus): there is no \(CorpusManifest.fileName) with pieces in it", render)
    }
    let catalogue = Dictionary(Instrument.catalogue.map { ($0.program, $0) }, uniquingKeysWith: { $1 })
    let trained = Set(rows.filter { $0.split == .train }.map(\.program))
    let instruments =
      known
      ?? Instrument.catalogue.filter { trained.contains($0.program) }.map {
        .init(program: $0.program, name: $0.name, family: $0.family)
      }
    guard instruments.count > 1 else {
      throw TrainingError(
        "\(corpus): its training pieces have \(instruments.count) instruments; there must be at least two",
        render)
    }
    var pieces: [CorpusSplit: [Piece]] = [:]
    for row in rows {
      guard let instrument = catalogue[row.program], let composed = row.composedS,
        row.compositionVersion == Composer.version
      else {
        throw TrainingError("\(corpus): it was rendered by another Legato, so its notes are unknown", render)
      }
      let path = "\(corpus)/\(row.path)"
      let info = try AudioFile.info(path)
      guard info.sampleRate == LogFrequencySpectrum.sampleRate, let frames = info.frames else {
        throw TrainingError(
          "\(path): \(info.sampleRate) Hz; a classifier hears \(LogFrequencySpectrum.sampleRate) Hz", render)
      }
      let soundings = Composer(instrument: instrument, seed: row.seed).compose(seconds: composed).soundings
        .filter { $0.end - $0.start >= Self.shortest }
      guard frames >= LogFrequencySpectrum.samples, !soundings.isEmpty else { continue }
      pieces[row.split, default: []].append(
        Piece(
          path: path, frames: frames, instrument: instruments.firstIndex { $0.program == row.program },
          name: instrument.name, family: instrument.family, soundings: soundings))
    }
    guard pieces[.train]?.contains(where: { $0.instrument != nil }) == true else {
      throw TrainingError("\(corpus): no piece of a second or more is there to train on", render)
    }
    self.instruments = instruments
    self.pieces = pieces
  }

  /// Hours of a split's instruments that are trained on.
  func hours(_ split: CorpusSplit) -> Double {
    let known = (pieces[split] ?? []).filter { $0.instrument != nil }
    return Double(known.reduce(0) { $0 + $1.frames }) / Double(LogFrequencySpectrum.sampleRate) / 3600
  }

  /// Names of instruments of the training split that are not trained on.
  var strangers: [String] {
    Set((pieces[.train] ?? []).filter { $0.instrument == nil }.map(\.name)).sorted()
  }

  var fingerprint: String {
    DataFingerprint.of(
      CorpusSplit.allCases.flatMap { split in
        (pieces[split] ?? []).map { "\(split.rawValue) \($0.path) \($0.frames)" }
      })
  }

  /// Places of keys that sound in the second from a sample on.
  func keys(of piece: Piece, from first: Int) -> Set<Int> {
    let start = Double(first) / Double(LogFrequencySpectrum.sampleRate)
    return Set(
      piece.soundings.lazy.filter {
        min($0.end, start + Self.seconds) - max($0.start, start) >= Self.shortest
          && NoteClassifier.keys.contains($0.key)
      }.map { $0.key - NoteClassifier.keys.lowerBound })
  }

  /// The mono mix of a second.
  func samples(of piece: Piece, from first: Int) throws -> [Float] {
    try AudioFile.read(piece.path, frames: first..<first + LogFrequencySpectrum.samples)
      .converted(toChannels: 1).channels[0]
  }

  /// Seconds of one to three pieces at once, each up to 12 dB softer, half of them under white noise: a function of `random` alone.
  func batch(_ split: CorpusSplit, count: Int, random: RandomStream) throws -> Batch {
    var batch = Batch()
    let pieces = (pieces[split] ?? []).filter { $0.instrument != nil }
    precondition(!pieces.isEmpty, "NoteWindows.batch: no pieces of \(split)")
    for item in 0..<count {
      // Words are drawn from places that no other example of the batch reaches.
      let draws = RandomStream(
        seed: random.seed, stream: random.stream &+ UInt64(item) &* 0x9e37_79b9_7f4a_7c15)
      let uniform = draws.uniform(16)
      let parts = uniform[0] < 0.5 ? 1 : uniform[0] < 0.8 ? 2 : 3
      var samples = [Float](repeating: 0, count: LogFrequencySpectrum.samples)
      var (heard, keys) = (Set<Int>(), Set<Int>())
      for part in 0..<parts {
        let piece = pieces[draws.integer(below: pieces.count, at: UInt64(16 + 2 * part))]
        // Where a note sounds, so that the example has something to tell.
        let note = piece.soundings[
          draws.integer(below: piece.soundings.count, at: UInt64(17 + 2 * part))]
        let start = note.start - 0.8 * Self.seconds * Double(uniform[1 + part])
        let first = min(
          max(0, Int(start * Double(LogFrequencySpectrum.sampleRate))),
          piece.frames - LogFrequencySpectrum.samples)
        let sounding = self.keys(of: piece, from: first)
        if let instrument = piece.instrument, !sounding.isEmpty { heard.insert(instrument) }
        keys.formUnion(sounding)
        let gain = Float.power(10, -0.6 * uniform[4 + part])
        for (index, value) in try self.samples(of: piece, from: first).enumerated() {
          samples[index] += gain * value
        }
      }
      if uniform[7] < 0.5 {
        // −75 to −35 dBFS.
        let level = Float.power(10, -3.75 + 2 * uniform[8])
        for (index, value) in draws.normal(samples.count, from: 1024).enumerated() {
          samples[index] += level * value
        }
      }
      batch.samples += samples
      batch.instruments += instruments.indices.map { heard.contains($0) ? 1 / Float(heard.count) : 0 }
      batch.keys += (0..<NoteClassifier.keys.count).map { keys.contains($0) ? 1 : 0 }
    }
    return batch
  }
}
