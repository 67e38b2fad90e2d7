import LegatoTensor

/// Which recordings go into which shard, and what is there already. Depends on the recordings alone, so that
/// every machine, thread count and repetition makes the same files.
struct ShardPlan: Sendable {
  struct Shard: Sendable {
    var name: String
    var recordings: Range<Int>
    /// What the file in the folder says, if it is of the same codec.
    var existing: LatentShard?
  }

  let recordings: [Recording]
  let codecHash: String
  let dimension: Int
  let folder: String
  private(set) var shards: [Shard] = []
  /// Latents of earlier runs, by source.
  private(set) var finished: [RecordingIdentity: SafetensorsFile] = [:]

  init(recordings: [Recording], codecHash: String, dimension: Int, folder: String) {
    self.recordings = recordings
    self.codecHash = codecHash
    self.dimension = dimension
    self.folder = folder
    let size = Self.recordingsPerShard(recordings.count)
    for (number, first) in stride(from: 0, to: recordings.count, by: size).enumerated() {
      shards.append(
        Shard(name: LatentShard.name(number), recordings: first..<min(first + size, recordings.count)))
    }
  }

  /// Few files for few recordings, so that little is lost when a run stops; not thousands for many.
  static func recordingsPerShard(_ count: Int) -> Int { min(256, max(16, (count + 255) / 256)) }

  /// Looks at the shards in the folder.
  mutating func examine(names: [String]) {
    let known = Dictionary(shards.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 })
    for name in names.sorted() where LatentShard.isName(name) {
      guard let file = try? SafetensorsFile(path: folder + "/" + name),
        let shard = LatentShard.read(file, dimension: dimension), shard.codecHash == codecHash
      else { continue }
      if let index = known[name] { shards[index].existing = shard }
      for entry in shard.entries where entry.frames != nil { finished[entry.source] = file }
    }
  }

  /// Whether a shard holds latents of exactly its recordings, none skipped.
  func isComplete(_ shard: Shard) -> Bool {
    isMade(shard) && shard.existing?.entries.allSatisfy { $0.frames != nil } == true
  }

  /// Whether a shard was made from exactly its recordings.
  func isMade(_ shard: Shard) -> Bool {
    shard.existing?.entries.map(\.source) == recordings[shard.recordings].map(\.identity)
  }
}
