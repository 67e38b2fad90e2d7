import LegatoAudio
import LegatoEvaluation

extension SoundFiles {
  /// Of each set, at most.
  private static let excerptCount = 3
  /// Samples of all excerpts together: 12 MB of a page.
  private static let mostSamples = 4_500_000.0

  /// Middles of some sounds of each set, side by side: pairs of one name where there are any, else evenly chosen.
  static func excerpts(_ sets: [SoundFiles]) throws -> [SoundReport.Excerpts] {
    guard let first = sets.first else { return [] }
    let names = sets.dropFirst().reduce(Set(first.items.map(\.name))) {
      $0.intersection($1.items.map(\.name))
    }
    let chosen = sets.map { set in
      let paired = set.items.filter { names.contains($0.name) }.sorted { $0.name < $1.name }
      let items = paired.isEmpty ? set.items : paired
      let count = min(excerptCount, items.count)
      return (0..<count).map { items[$0 * items.count / count] }
    }
    let count = chosen.reduce(0) { $0 + $1.count }
    return try zip(sets, chosen).map { set, items in
      SoundReport.Excerpts(
        label: sets.count { $0.label == set.label } > 1 ? "\(set.label) (\(set.source))" : set.label,
        sounds: try items.map { item in
          let (length, rate) = (try AudioFile.duration(item.path), try AudioFile.info(item.path).sampleRate)
          let seconds = min(10, mostSamples / Double(max(1, count) * rate))
          return (
            item.name, try AudioFile.read(item.path, from: max(0, (length - seconds) / 2), seconds: seconds)
          )
        })
    }
  }
}
