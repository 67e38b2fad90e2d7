import LegatoTensor

/// What `legato prepare` is asked to do.
public struct PrepareOptions: Sendable, Hashable {
  /// A folder of recordings, with a `manifest.jsonl` or without, or a manifest: JSON Lines with at least `path`.
  public var input: String
  /// The codec's package.
  public var codec: String
  /// The folder of latents.
  public var output: String
  /// Recordings encoded at once.
  public var threads = Platform.processorCount
  /// Share of the pieces that become validation where no manifest says; a codec's training holds out the same ones.
  public var validationShare = 0.1
  /// Several machines share the work: this one does part `part` (from 0) of `parts`, all with the same output
  /// folder or each with its own whose shards are then put into one. The run that finds all shards writes the index.
  public var part = 0
  public var parts = 1
  /// Shorter recordings are skipped.
  public var minimumSeconds = 1.0
  /// Excerpts on which reconstruction is measured; 0 measures none.
  public var excerpts = 16
  public var excerptSeconds = 5.0

  public init(input: String, codec: String, output: String) {
    self.input = input
    self.codec = codec
    self.output = output
  }

  func check() throws {
    func bad(_ name: String, _ value: some Any, _ wanted: String) -> PrepareError {
      PrepareError(.badOption, name, "\(value) makes no sense", "Give \(wanted).")
    }
    guard (1...1024).contains(threads) else { throw bad("threads", threads, "1 to 1024") }
    guard validationShare >= 0, validationShare < 1 else {
      throw bad("validation share", validationShare, "0 to less than 1")
    }
    guard parts >= 1, parts <= 100_000 else { throw bad("parts", parts, "1 to 100000") }
    guard (0..<parts).contains(part) else { throw bad("part", part, "0 to \(parts - 1)") }
    guard minimumSeconds >= 0, minimumSeconds < 1e6 else {
      throw bad("minimum length", minimumSeconds, "seconds from 0")
    }
    guard (0...10_000).contains(excerpts) else { throw bad("excerpts", excerpts, "0 to 10000") }
    guard excerptSeconds >= 0.5, excerptSeconds <= 60 else {
      throw bad("excerpt length", excerptSeconds, "0.5 to 60 seconds")
    }
  }
}

/// What preparation did.
public struct PrepareReport: Sendable {
  /// The index as written; nil while other machines' shards are missing.
  public var index: LatentIndex?
  /// Recordings found, in all parts.
  public var recordings: Int
  /// Recordings encoded by this call.
  public var encoded: Int
  /// Recordings whose latents were there already.
  public var kept: Int
  /// Recordings of this part that were skipped, and why.
  public var skipped: [SkippedRecording]
  public var shards: Int
  /// Shards that other machines have still to make.
  public var missingShards: Int
  public var warnings: [String]
}
