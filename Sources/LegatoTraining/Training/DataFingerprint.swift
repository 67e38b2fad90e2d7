import LegatoTensor

/// A short hash of what a data set consists of.
enum DataFingerprint {
  static func of(_ items: [String]) -> String {
    String(RandomStream(seed: 0, name: items.joined(separator: "\n")).stream, radix: 16)
  }
}

extension AudioClips {
  /// Paths and lengths of all recordings, in order.
  var fingerprint: String {
    DataFingerprint.of(
      train.map { "train \($0.path) \($0.frames)" } + validation.map { "validation \($0.path) \($0.frames)" })
  }
}

extension LatentDataset {
  /// The codec, and identity, split and length of all pieces, in order.
  var fingerprint: String {
    DataFingerprint.of([codecHash] + index.pieces.map { "\($0.id) \($0.split) \($0.frames)" })
  }
}
