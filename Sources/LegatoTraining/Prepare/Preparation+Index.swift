import Foundation
import LegatoCodecs
import LegatoModels
import LegatoTensor

extension Preparation {
  /// Writes the index over complete shards.
  func finish(_ plan: ShardPlan, _ list: RecordingList, line: ProgressLine) throws -> LatentIndex {
    var index = LatentIndex(
      codecName: codec.configuration.name, codecPath: URL(fileURLWithPath: options.codec).standardizedFileURL.path,
      codecHash: codec.hash, frameRate: codec.codec.frameRate, dimension: codec.codec.latentDimension,
      samplesPerFrame: codec.codec.samplesPerFrame, source: list.source, pieces: [], skipped: [], reconstruction: nil)
    var usable: [Recording] = []
    for shard in plan.shards {
      for (recording, entry) in zip(plan.recordings[shard.recordings], shard.existing?.entries ?? []) {
        guard let frames = entry.frames else {
          index.skipped.append(SkippedRecording(path: entry.source.path, reason: entry.skipped ?? ""))
          continue
        }
        usable.append(recording)
        index.pieces.append(
          LatentPiece(
            id: recording.id, path: recording.identity.path, split: .train, frames: frames, shard: shard.name,
            labels: recording.labels))
      }
    }
    guard !usable.isEmpty else { throw Self.noneUsable(options.input, index.skipped) }
    for (number, split) in SplitAssignment.splits(of: usable, validationShare: options.validationShare).enumerated() {
      index.pieces[number].split = split
    }
    let earlier = try? LatentIndex(folder: options.output)
    if let earlier, earlier.pieces.map(\.path) == index.pieces.map(\.path), earlier.codecHash == index.codecHash,
      earlier.reconstruction?.requested == requestedExcerpts
    {
      index.reconstruction = earlier.reconstruction
      index.reconstruction?.codecMelDistance = codec.configuration.heldOutMelDistance
    } else {
      index.reconstruction = ReconstructionCheck(options: options, codec: codec)
        .measure(usable, frames: index.pieces.map(\.frames))
    }
    if let warning = index.reconstruction?.warning { line.message("Warning: \(warning)") }
    if index != earlier { try index.write(folder: options.output) }
    removeStaleShards(keeping: Set(plan.shards.map(\.name)))
    return index
  }

  var requestedExcerpts: String { "\(options.excerpts) of \(options.excerptSeconds) s" }

  private static func noneUsable(_ input: String, _ skipped: [SkippedRecording]) -> PrepareError {
    let reasons = skipped.prefix(3).map { "\($0.path): \($0.reason)" }.joined(separator: " ")
    return PrepareError(
      .noneUsable, input, "none of the \(skipped.count) recordings can be used. \(reasons)",
      "Give recordings that play in a sound editor.")
  }

  /// Shards of an earlier, larger set.
  private func removeStaleShards(keeping names: Set<String>) {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: options.output)) ?? []
    for name in found where LatentShard.isName(name) && !names.contains(name) {
      try? FileManager.default.removeItem(atPath: options.output + "/" + name)
    }
  }
}

/// Gives pieces without a split to training or validation.
enum SplitAssignment {
  /// A piece's place depends on its path alone, so that new recordings do not move old ones; only where that leaves
  /// a side empty, the piece that comes nearest changes it.
  static func splits(of recordings: [Recording], validationShare: Double) -> [LatentSplit] {
    var splits = recordings.map { $0.split ?? .train }
    let open = recordings.indices.filter { recordings[$0].split == nil }
    let draws = open.map { index -> Double in
      let word = RandomStream(seed: 0, name: recordings[index].identity.path).words(at: 0).0
      return (Double(word) + 0.5) / 0x1p32
    }
    for (index, draw) in zip(open, draws) where draw < validationShare { splits[index] = .validation }
    guard validationShare > 0, recordings.count > 1 else { return splits }
    let order = zip(open, draws).sorted { $0.1 < $1.1 }.map(\.0)
    if !splits.contains(.validation), let first = order.first { splits[first] = .validation }
    if !splits.contains(.train), order.count > 1, let last = order.last { splits[last] = .train }
    return splits
  }
}
