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
  /// Frames taken so far. A stream that goes on from a saved state sets it.
  public var position = 0
  private var held: [[Float]] = []

  /// - Parameters:
  ///   - fadeIn: frames.
  ///   - fadeOut: frames.
  ///   - totalFrames: the stream's length, when known: no frame is then held back.
  /// Traps where a length is negative. Processing traps where channels are of several lengths or change in number.
  public init(fadeIn: Int, fadeOut: Int, curve: Curve = .cosine, totalFrames: Int? = nil) {
    precondition(fadeIn >= 0 && fadeOut >= 0, "Fade: lengths are \(fadeIn) and \(fadeOut)")
    self.fadeIn = fadeIn
    self.fadeOut = fadeOut
    self.curve = curve
    self.totalFrames = totalFrames
  }

  /// Takes planar frames and returns those that are ready.
  public mutating func process(_ chunk: [[Float]]) -> [[Float]] {
    guard holdsBack else {
      precondition(
        chunk.allSatisfy { $0.count == chunk[0].count },
        "Fade.process: channels of \(chunk.map(\.count)) frames")
      guard !chunk.isEmpty else { return chunk }
      let memory = PlanarMemory(chunk)
      process(memory.rows, frames: memory.capacity)
      return memory.arrays(0..<memory.capacity)
    }
    var chunk = chunk
    let frames = chunk.first?.count ?? 0
    for channel in chunk.indices {
      chunk[channel].withUnsafeMutableBufferPointer { if let row = $0.baseAddress { applyIn(row, frames) } }
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

  /// Whether frames are held back: the end may come at any time, and is to be faded.
  private var holdsBack: Bool { totalFrames == nil && fadeOut > 0 }

  /// The same in place, with no allocation, where nothing has to be held back: the length is known, or nothing
  /// fades out. A pointer for each channel, each to `frames` samples.
  public mutating func process(_ samples: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, frames: Int) {
    precondition(!holdsBack, "Fade.process: in place, the length must be known or fadeOut be 0")
    for row in samples {
      applyIn(row, frames)
      if let totalFrames {
        let length = min(fadeOut, totalFrames)
        applyOut(row, frames, start: position, fadeStart: totalFrames - length, length: length)
      }
    }
    position += frames
  }

  /// The held frames, faded out. A stream shorter than its fade out fades over all of it.
  public mutating func finish() -> [[Float]] {
    var rest = held
    let length = rest.first?.count ?? 0
    for channel in rest.indices {
      rest[channel].withUnsafeMutableBufferPointer {
        if let row = $0.baseAddress { applyOut(row, length, start: 0, fadeStart: 0, length: length) }
      }
    }
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

  private func applyIn(_ row: UnsafeMutablePointer<Float>, _ frames: Int) {
    for frame in 0..<max(0, min(frames, fadeIn - position)) {
      row[frame] *= Float(curve.gain((Double(position + frame) + 0.5) / Double(fadeIn)))
    }
  }

  private func applyOut(
    _ row: UnsafeMutablePointer<Float>, _ frames: Int, start: Int, fadeStart: Int, length: Int
  ) {
    for frame in min(frames, max(0, fadeStart - start))..<frames where length > 0 {
      let left = Double(fadeStart + length - (start + frame)) - 0.5
      row[frame] *= Float(curve.gain(left / Double(length)))
    }
  }
}
