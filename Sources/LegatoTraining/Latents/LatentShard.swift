import Foundation
import LegatoTensor

/// A shard: one safetensors file with an F16 tensor `[frames, dimension]` a piece, named by the piece's path.
///
/// It describes itself: its metadata says which codec made it and of which sources, those that were skipped too, so
/// that a file is either whole and trusted or made again.
struct LatentShard: Codable, Equatable {
  /// What became of one source.
  struct Entry: Codable, Equatable {
    var source: RecordingIdentity
    /// Latents; nil where it was skipped.
    var frames: Int?
    var skipped: String?
  }

  var codecHash: String
  var entries: [Entry]

  static let metadataKey = "legato.latents"
  static let hashKey = "codec_hash"

  static func name(_ index: Int) -> String {
    let digits = String(index)
    return "shard-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".safetensors"
  }

  static func isName(_ name: String) -> Bool {
    guard name.hasPrefix("shard-"), name.hasSuffix(".safetensors") else { return false }
    let digits = name.dropFirst(6).dropLast(12)
    return digits.utf8.count >= 5 && digits.utf8.count <= 12
      && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// The description in an open file; nil where it has none or it contradicts the tensors.
  static func read(_ file: SafetensorsFile, dimension: Int) -> LatentShard? {
    guard let text = file.metadata[metadataKey],
      let shard = try? JSONDecoder().decode(LatentShard.self, from: Data(text.utf8))
    else { return nil }
    var tensors = 0
    for entry in shard.entries {
      guard let frames = entry.frames else { continue }
      tensors += 1
      guard let found = try? file.entry(entry.source.path), found.dtype == .float16,
        found.shape == [frames, dimension]
      else { return nil }
    }
    return tensors == file.entries.count ? shard : nil
  }

  func metadata() throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [
      Self.metadataKey: String(decoding: try encoder.encode(self), as: UTF8.self), Self.hashKey: codecHash,
    ]
  }
}
