import LegatoAudio

/// Joins a recording and its continuation without a click.
///
/// The continuation begins `delay` samples before the recording ends, with the codec's rendering of those samples,
/// and fades in over 5 ms. The recording fades out under it by the complementary gain.
struct PromptJoin {
  /// The recording up to where its continuation begins.
  let head: AudioBuffer
  private let tail: [[Float]]
  private let fadeFrames: Int
  private var position = 0

  init(_ prompt: AudioBuffer, delay: Int) {
    let cut = max(0, prompt.frameCount - delay)
    head = prompt.slice(frames: 0..<cut)
    fadeFrames = prompt.sampleRate / 200
    tail = prompt.slice(frames: cut..<min(prompt.frameCount, cut + fadeFrames)).channels
  }

  /// Mixes what is left of the recording under the continuation's first samples.
  mutating func mix(into chunk: inout [[Float]]) {
    let length = min(chunk[0].count, max(0, tail[0].count - position))
    for frame in 0..<length {
      let gain = Float(1 - Fade.Curve.cosine.gain((Double(position + frame) + 0.5) / Double(fadeFrames)))
      for channel in chunk.indices { chunk[channel][frame] += gain * tail[channel][position + frame] }
    }
    position += length
  }
}
