import LegatoNN

/// Log-mel patches on the directions in which real music varies most: an embedding that needs no download.
///
/// A patch is 0.96 s of ``LogMelAnalyser``'s frames, 12 steps × 64 bands, one after the other. The principal
/// components are fitted on the reference recordings alone.
public struct PatchEmbedding: Sendable {
  /// Frames of a patch.
  public static let steps = 12
  /// Values of a patch.
  public static let patchSize = steps * LogMelAnalyser.bands
  /// Seconds of a patch.
  public static let seconds = Double(steps) / LogMelAnalyser.frameRate

  public let projection: PrincipalComponents
  public var dimension: Int { projection.components }
  /// SHA-256 of what was fitted.
  public var digest: String { projection.digest }

  /// Patches that the components are fitted on, at most, evenly spread: enough for 768 dimensions.
  private static let fitLimit = 8192

  /// - Parameter frames: of each reference recording, `[frames, bands]`.
  public init(fittedOn frames: [[Float]], components: Int = 16) throws {
    precondition(components > 0, "PatchEmbedding: \(components) components")
    let patches = frames.enumerated().flatMap { recording, values in
      (0..<values.count / Self.patchSize).map { (recording, $0) }
    }
    guard patches.count > components else {
      throw EvaluationError(
        "the reference holds \(patches.count) patches of \(Self.seconds) s, too few for \(components) principal "
          + "components; give more or longer recordings")
    }
    let kept = min(patches.count, Self.fitLimit)
    var statistics = GaussianStatistics(dimension: Self.patchSize)
    for first in stride(from: 0, to: kept, by: 1024) {
      var rows: [Float] = []
      for index in first..<min(first + 1024, kept) {
        let (recording, patch) = patches[index * patches.count / kept]
        rows += frames[recording][patch * Self.patchSize..<(patch + 1) * Self.patchSize]
      }
      statistics.add(rows)
    }
    projection = PrincipalComponents(fittedOn: statistics, components: components)
  }

  /// Whole patches of frames `[frames, bands]` → rows `[patches, dimension]`.
  public func rows(_ frames: some Collection<Float>) -> [Float] {
    projection.project(rows: Array(frames.prefix(frames.count / Self.patchSize * Self.patchSize)))
  }
}
