import LegatoTensor

/// Puts other music before the clips of a style, so that it learns to lead away from anything.
///
/// Where the whole past is in a style already, there is nothing to learn from: the frozen model keeps to it by itself.
struct StyleLead {
  /// Pieces that are not of the style.
  var others: LatentDataset
  /// Positions of a sequence.
  var frames: Int

  /// Share of the clips that are led to; of those that begin their piece none is.
  static let fraction: Float = 0.7

  /// Replaces latents at a clip's front, a quarter to three quarters of it, by a stretch of other music, which is context only.
  /// A function of its arguments alone. Clips stay as they are where the split has no other music.
  func apply(to clips: inout LatentClips, split: LatentFolder.Split, random: RandomStream) throws {
    guard others.canJoin(split, frames: frames) else { return }
    // Streams of their own: coin, place and music must not depend on each other.
    func stream(_ name: String) -> RandomStream {
      RandomStream(
        seed: RandomStream(seed: random.seed, name: name).stream ^ random.seed, stream: random.stream)
    }
    let (coins, places, music) = (
      stream("coin").uniform(clips.latents.count), stream("place"), stream("music")
    )
    for item in clips.latents.indices where !clips.begins[item] && coins[item] < Self.fraction {
      let place = frames / 4 + places.integer(below: frames / 2, at: UInt64(item))
      let before = try others.sampleJoining(split: split, frames: place, random: music, index: item)
      clips.latents[item].replaceSubrange(0..<place * clips.dimension, with: before)
      clips.counted[item] = place
    }
  }
}
