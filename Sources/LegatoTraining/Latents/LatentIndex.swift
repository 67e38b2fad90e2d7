/// One recording as latents.
public struct LatentPiece: Codable, Sendable, Hashable {
  public var id: String
  /// Of the recording, relative to the index's `source` where it lies inside; also the tensor's name in its shard.
  public var path: String
  public var split: LatentFolder.Split
  /// Number of latents.
  public var frames: Int
  /// File in the folder.
  public var shard: String
  /// What the manifest says of it: instrument, caption, key and the like.
  public var labels: [String: String]

  public init(
    id: String, path: String, split: LatentFolder.Split, frames: Int, shard: String,
    labels: [String: String] = [:]
  ) {
    self.id = id
    self.path = path
    self.split = split
    self.frames = frames
    self.shard = shard
    self.labels = labels
  }
}

/// A recording that was left out.
public struct SkippedRecording: Codable, Sendable, Hashable {
  public var path: String
  public var reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// How well a codec reconstructs a set of recordings.
public struct ReconstructionReport: Codable, Sendable, Hashable {
  /// Excerpts measured, spread over the recordings.
  public var excerpts: Int
  public var secondsEach: Double
  /// Means over the excerpts of ``LegatoEvaluation/MelDistance`` and ``LegatoEvaluation/MultiResolutionSTFTDistance``.
  public var melDistance: Double
  public var stftDistance: Double
  /// The excerpt that fared worst, by mel distance.
  public var worstPath: String
  public var worstMelDistance: Double
  /// The codec's mel distance to its own held-out recordings, if its package says.
  public var codecMelDistance: Double?
  /// What was asked for: a later run asks whether it wants the same.
  var requested: String

  enum CodingKeys: String, CodingKey {
    case excerpts, requested
    case secondsEach = "seconds_each"
    case melDistance = "mel_distance"
    case stftDistance = "stft_distance"
    case worstPath = "worst_path"
    case worstMelDistance = "worst_mel_distance"
    case codecMelDistance = "codec_mel_distance"
  }

  /// Beyond this ratio to the codec's own recordings these count as clearly worse.
  public static let tolerance = 1.25

  /// What to do where the codec does clearly worse here than on its own recordings: commands that work as they are.
  ///
  /// - Parameters: paths as the user gave them.
  func warning(recordings: String, codec: String, latents: String) -> String? {
    guard let own = codecMelDistance, own > 0, melDistance > own * Self.tolerance else { return nil }
    let ratio = (melDistance / own * 100).rounded() / 100
    return
      "the codec reconstructs these recordings \(ratio) times worse than its own held-out ones (mel distance); "
      + "a model trained on these latents cannot sound better. Fine-tune the codec on them first, then prepare again: "
      + "legato train Recipes/finetune-codec.yaml --from \(Self.quoted(codec)) --set "
      + Self.quoted("data.corpus=\(recordings)")
      + " --output runs/finetune-codec && legato prepare \(Self.quoted(recordings)) "
      + "--codec runs/finetune-codec/package --output \(Self.quoted(latents))"
  }

  /// A word for the shell.
  private static func quoted(_ text: String) -> String {
    let plain = text.allSatisfy { $0.isLetter || $0.isNumber || "/._-=~+:,@".contains($0) }
    return plain && !text.isEmpty
      ? text
      : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}

/// `latents.json`: what a folder of prepared latents holds.
public struct LatentIndex: Codable, Sendable, Hashable {
  /// Newest layout that this version reads and writes.
  public static let formatVersion = 1
  public static let fileName = "latents.json"

  public var formatVersion = LatentIndex.formatVersion
  public var codecName: String
  public var codecPath: String
  public var codecHash: String
  /// Latents a second.
  public var frameRate: Double
  public var dimension: Int
  public var samplesPerFrame: Int
  /// The folder that the pieces' paths start at.
  public var source: String
  public var pieces: [LatentPiece]
  public var skipped: [SkippedRecording]
  public var reconstruction: ReconstructionReport?

  enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case codecName = "codec_name"
    case codecPath = "codec_path"
    case codecHash = "codec_hash"
    case frameRate = "frame_rate"
    case samplesPerFrame = "samples_per_frame"
    case dimension, source, pieces, skipped, reconstruction
  }

  public func frames(of split: LatentFolder.Split) -> Int {
    pieces.reduce(0) { $1.split == split ? $0 + $1.frames : $0 }
  }

  /// Hours of sound, all splits together.
  public var hours: Double { Double(pieces.reduce(0) { $0 + $1.frames }) / frameRate / 3600 }
}
