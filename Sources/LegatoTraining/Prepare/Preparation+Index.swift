import Foundation
import LegatoCodecs
import LegatoModels
import LegatoTensor

extension Preparation {
  /// Writes the index over complete shards.
  func finish(_ plan: ShardPlan, _ list: RecordingSet, line: ProgressLine) throws -> LatentIndex {
    var index = LatentIndex(
      codecName: codec.configuration.name,
      codecPath: URL(fileURLWithPath: options.codec).standardizedFileURL.path,
      codecHash: codec.hash, frameRate: codec.codec.frameRate, dimension: codec.codec.latentDimension,
      samplesPerFrame: codec.codec.samplesPerFrame, source: list.source, pieces: [], skipped: [],
      reconstruction: nil)
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
            id: recording.id, path: recording.identity.path, split: recording.split, frames: frames,
            shard: shard.name,
            labels: recording.labels))
      }
    }
    guard !usable.isEmpty else { throw Self.noneUsable(options.input, index.skipped) }
    if options.validationShare > 0 { index.ensureValidation() }
    let earlier = try? LatentIndex(folder: options.output)
    if let earlier, earlier.pieces.map(\.path) == index.pieces.map(\.path),
      earlier.codecHash == index.codecHash,
      earlier.reconstruction?.requested == requestedExcerpts
    {
      index.reconstruction = earlier.reconstruction
      index.reconstruction?.codecMelDistance = codec.configuration.heldOutMelDistance
    } else {
      index.reconstruction = ReconstructionCheck(options: options, codec: codec)
        .measure(usable, frames: index.pieces.map(\.frames))
    }
    // The latents take their codec along, so that the folder can be moved and the codec's own may change.
    let copy = options.output + "/codec"
    if (try? CodecPackage(path: copy))?.hash != codec.hash {
      try CodecPackage.write(
        to: copy, configuration: codec.configuration, weights: codec.codec.weights, format: nil,
        card: codec.card)
    }
    if index != earlier { try index.write(folder: options.output) }
    removeStaleShards(keeping: Set(plan.shards.map(\.name)))
    return index
  }

  var requestedExcerpts: String { "\(options.excerpts) of \(options.excerptSeconds) s" }

  private static func noneUsable(_ input: String, _ skipped: [SkippedRecording]) -> PrepareError {
    let reasons = skipped.prefix(3).map { "\($0.path): \($0.reason)" }.joined(separator: " ")
      .trimmingCharacters(in: CharacterSet(charactersIn: "."))
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

extension LatentIndex {
  /// Training needs pieces to train on and pieces to validate. Where broken recordings or a manifest left a side
  /// empty, the piece whose path comes first by hash changes sides, so that others do not move when recordings are added.
  mutating func ensureValidation() {
    func move(_ from: LatentFolder.Split, to split: LatentFolder.Split) {
      let candidates = pieces.indices.filter { pieces[$0].split == from }
      guard candidates.count > 1, !pieces.contains(where: { $0.split == split }) else { return }
      func draw(_ index: Int) -> UInt32 { RandomStream(seed: 0, name: pieces[index].path).words(at: 0).0 }
      guard let first = candidates.min(by: { draw($0) < draw($1) }) else { return }
      pieces[first].split = split
    }
    move(.train, to: .validation)
    move(.validation, to: .train)
  }
}
