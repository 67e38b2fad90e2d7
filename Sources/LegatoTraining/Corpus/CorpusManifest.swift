import Foundation

/// Which part of a corpus a piece belongs to.
public enum CorpusSplit: String, Codable, Sendable, CaseIterable {
  case train, validation, test
  /// Instruments that no other split holds.
  case heldOutInstruments = "held_out_instruments"
}

/// One row of `manifest.jsonl`: a piece, where it is, and its labels. Keys are these names in snake case.
public struct CorpusManifestRow: Codable, Sendable, Equatable {
  public var id: String
  /// Relative to the manifest's folder.
  public var path: String
  public var split: CorpusSplit
  /// Seed of the composition; below 2^53, so that every JSON reader keeps it whole.
  public var seed: UInt64
  public var compositionVersion: Int
  /// Seconds that the piece was composed for: with instrument and seed, what `Composer` needs to write the same notes.
  /// Manifests of before lack it.
  public var composedS: Double?
  /// Seconds.
  public var durationS: Double
  public var sampleRate, channels: Int
  /// General MIDI program, 0...127.
  public var program: Int
  public var instrument, family, key, mode: String
  public var tempoBpm: Double
  public var meter, style, form, caption, licence: String
}

/// The manifest of a corpus: JSON Lines in the order of the plan, appended to as pieces are finished.
public struct CorpusManifest: Sendable {
  public static let fileName = "manifest.jsonl"

  public var rows: [CorpusManifestRow] = []

  /// Reads the manifest in `folder`; no manifest means no rows.
  ///
  /// A last line without its end, left by a process that was killed while writing it, is not counted.
  /// - Throws: `CorpusError.folder` for any other line that is not a row.
  public init(folder: URL) throws {
    let url = folder.appendingPathComponent(Self.fileName)
    guard let data = FileManager.default.contents(atPath: url.path) else { return }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
    for (i, line) in lines.enumerated() where !line.isEmpty {
      guard let row = try? decoder.decode(CorpusManifestRow.self, from: Data(line)) else {
        throw CorpusError.folder(
          "\(url.path), line \(i + 1) is not a row of a corpus. Move the file away to render the corpus anew")
      }
      rows.append(row)
    }
  }

  static func line(_ row: CorpusManifestRow) throws -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(row) + Data("\n".utf8)
  }
}
