#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Fades a stream in at its start and out at its end.
///
/// When the length is known beforehand nothing is held back. When it is not, as for a stream that somebody
/// will stop, the last `fadeOut` frames are held until ``finish()``, which fades them.
public struct Fade: Sendable {
  /// How the gain moves from 0 to 1.
  public enum Curve: String, Sendable, CaseIterable {
    /// A quarter sine: constant power where two unrelated sounds cross.
    case equalPower
    /// Half a cosine: no corner at either end.
    case cosine

    /// Gain at `progress` in 0...1.
    public func gain(_ progress: Double) -> Double {
      let x = min(max(progress, 0), 1)
      return switch self {
      case .equalPower: sin(x * .pi / 2)
      case .cosine: 0.5 - 0.5 * cos(x * .pi)
      }
    }
  }

  /// Length of the fade in, in frames.
  public let fadeIn: Int
  /// Length of the fade out, in frames.
  public let fadeOut: Int
  /// Shape of both.
  public let curve: Curve

  private let totalFrames: Int?
  private var position = 0
  private var held: [[Float]] = []

  /// - Parameters:
  ///   - fadeIn: frames.
  ///   - fadeOut: frames.
  ///   - totalFrames: the stream's length, when known: no frame is then held back.
  public init(fadeIn: Int, fadeOut: Int, curve: Curve = .cosine, totalFrames: Int? = nil) {
    precondition(fadeIn >= 0 && fadeOut >= 0, "Fade: lengths are \(fadeIn) and \(fadeOut)")
    self.fadeIn = fadeIn
    self.fadeOut = fadeOut
    self.curve = curve
    self.totalFrames = totalFrames
  }

  /// Takes planar frames and returns those that are ready.
  public mutating func process(_ chunk: [[Float]]) -> [[Float]] {
    var chunk = chunk
    let frames = chunk.first?.count ?? 0
    applyIn(&chunk, frames)
    if let totalFrames {
      let length = min(fadeOut, totalFrames)
      applyOut(&chunk, start: position, fadeStart: totalFrames - length, length: length)
      position += frames
      return chunk
    }
    position += frames
    if held.isEmpty { held = Array(repeating: [], count: chunk.count) }
    precondition(held.count == chunk.count, "Fade.process: the number of channels changed")
    for channel in chunk.indices {
      held[channel] += chunk[channel]
      let ready = max(0, held[channel].count - fadeOut)
      chunk[channel] = Array(held[channel].prefix(ready))
      held[channel].removeFirst(ready)
    }
    return chunk
  }

  /// The held frames, faded out. A stream shorter than its fade out fades over all of it.
  public mutating func finish() -> [[Float]] {
    var rest = held
    let length = rest.first?.count ?? 0
    applyOut(&rest, start: 0, fadeStart: 0, length: length)
    held = []
    return rest
  }

  /// Fades a whole buffer.
  public static func apply(
    to buffer: AudioBuffer, fadeIn: Int, fadeOut: Int, curve: Curve = .cosine
  ) -> AudioBuffer {
    var fade = Fade(fadeIn: fadeIn, fadeOut: fadeOut, curve: curve, totalFrames: buffer.frameCount)
    return AudioBuffer(sampleRate: buffer.sampleRate, channels: fade.process(buffer.channels))
  }

  private func applyIn(_ chunk: inout [[Float]], _ frames: Int) {
    for frame in 0..<max(0, min(frames, fadeIn - position)) {
      let gain = Float(curve.gain((Double(position + frame) + 0.5) / Double(fadeIn)))
      for channel in chunk.indices { chunk[channel][frame] *= gain }
    }
  }

  private func applyOut(_ chunk: inout [[Float]], start: Int, fadeStart: Int, length: Int) {
    let frames = chunk.first?.count ?? 0
    for frame in min(frames, max(0, fadeStart - start))..<frames where length > 0 {
      let left = Double(fadeStart + length - (start + frame)) - 0.5
      let gain = Float(curve.gain(left / Double(length)))
      for channel in chunk.indices { chunk[channel][frame] *= gain }
    }
  }
}
