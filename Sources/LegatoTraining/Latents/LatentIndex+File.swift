import Foundation
import LegatoTensor

extension LatentIndex {
  private struct Header: Decodable {
    var formatVersion: Int?

    enum CodingKeys: String, CodingKey { case formatVersion = "format_version" }
  }

  /// Reads and checks `latents.json` of a folder; the shards are not opened.
  ///
  /// - Throws: ``LatentError``: missing, newer or damaged.
  public init(folder: String) throws {
    let file = folder + "/" + Self.fileName
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw LatentError(
        .missing, folder, "there is no such folder", "Give the folder that `legato prepare` wrote.")
    }
    guard let data = FileManager.default.contents(atPath: file) else {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      if names.contains(where: LatentShard.isName) {
        throw LatentError(
          .missing, file, "preparation has not finished: there are shards but no index",
          LatentError.prepareAgain)
      }
      throw LatentError(
        .missing, file, "the file is missing or cannot be read",
        "Give a folder of latents; `legato prepare RECORDINGS --codec CODEC --output FOLDER` makes one.")
    }
    func damaged(_ reason: String) -> LatentError {
      LatentError(.damaged, file, reason, LatentError.prepareAgain)
    }
    guard let header = try? JSONDecoder().decode(Header.self, from: data) else {
      throw damaged("this is not a valid index")
    }
    guard let version = header.formatVersion, version > 0 else { throw damaged("format_version is missing") }
    guard version <= Self.formatVersion else {
      throw LatentError(
        .newer, file, "format_version \(version) is newer than this Legato reads (\(Self.formatVersion))",
        "Update Legato.")
    }
    do {
      self = try JSONDecoder().decode(LatentIndex.self, from: data)
    } catch let error as DecodingError {
      throw damaged(Self.reason(error))
    }
    if let problem { throw damaged(problem) }
  }

  private static func reason(_ error: DecodingError) -> String {
    func name(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
    switch error {
    case .keyNotFound(let key, let context): return "the key '\(name(context.codingPath + [key]))' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "the value of '\(name(context.codingPath))' is of another type"
    case .dataCorrupted(let context): return "the value of '\(name(context.codingPath))' is damaged"
    @unknown default: return "it does not fit"
    }
  }

  /// What contradicts itself, in words.
  private var problem: String? {
    guard (1...65_536).contains(dimension) else { return "dimension is \(dimension)" }
    guard (1...10_000_000).contains(samplesPerFrame) else { return "samples_per_frame is \(samplesPerFrame)" }
    guard frameRate.isFinite, frameRate > 0 else { return "frame_rate is \(frameRate)" }
    var paths: Set<String> = []
    var ids: Set<String> = []
    for piece in pieces {
      guard LatentShard.isName(piece.shard) else {
        return "the piece '\(piece.id)' names the shard '\(piece.shard)'"
      }
      guard piece.frames > 0, piece.frames < 1 << 40 else {
        return "the piece '\(piece.id)' has \(piece.frames) latents"
      }
      guard paths.insert(piece.path).inserted else { return "the path '\(piece.path)' occurs twice" }
      guard ids.insert(piece.id).inserted else { return "the id '\(piece.id)' occurs twice" }
    }
    return nil
  }

  /// Writes `latents.json` into a folder, aside and then renamed.
  public func write(folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let bytes = Array(try encoder.encode(self)) + [0x0a]
    do throws(SystemCallError) {
      try DurableFile.write(bytes, to: folder + "/" + Self.fileName)
    } catch {
      throw LatentError(writing: error)
    }
  }
}
