import LegatoAudio
import LegatoTensor

/// A recording and its estimate in equal shape, cut into overlapping blocks so that memory stays bounded.
struct SignalPair {
  let reference: [[Float]]
  let estimate: [[Float]]

  var channels: Int { reference.count }
  var samples: Int { reference.first?.count ?? 0 }

  /// The common part of both. Throws ``EvaluationError`` where rates or channels differ or nothing is left.
  init(_ reference: AudioBuffer, _ estimate: AudioBuffer) throws {
    guard reference.sampleRate == estimate.sampleRate else {
      throw EvaluationError(
        "cannot compare sound at \(reference.sampleRate) Hz with sound at \(estimate.sampleRate) Hz; resample one of them"
      )
    }
    guard reference.channelCount == estimate.channelCount, reference.channelCount > 0 else {
      throw EvaluationError(
        "cannot compare sound of \(reference.channelCount) channels with sound of \(estimate.channelCount); convert one of them"
      )
    }
    let count = min(reference.frameCount, estimate.frameCount)
    guard count > 0 else {
      throw EvaluationError("there is no sound to compare; give recordings that are not empty")
    }
    self.reference = reference.channels.map { Array($0.prefix(count)) }
    self.estimate = estimate.channels.map { Array($0.prefix(count)) }
  }

  /// Calls `body` with both signals as `[channels, samples]` in blocks of whole analysis frames. Every frame of
  /// the whole signal occurs exactly once; a signal shorter than a frame is padded with zeros to one.
  func forEachBlock(
    size: Int, hop: Int, engine: CPUEngine, _ body: (_ reference: Tensor, _ estimate: Tensor) -> Void
  ) {
    let frames = max(1, (samples - size) / hop + 1)
    let framesPerBlock = max(1, 131_072 / hop)
    for first in stride(from: 0, to: frames, by: framesPerBlock) {
      let count = min(framesPerBlock, frames - first)
      let range = first * hop..<(first + count - 1) * hop + size
      func tensor(_ signal: [[Float]]) -> Tensor {
        var values: [Float] = []
        values.reserveCapacity(channels * range.count)
        for channel in signal {
          let part = channel[range.clamped(to: 0..<samples)]
          values += part
          values += repeatElement(0, count: range.count - part.count)
        }
        return engine.tensor(values, shape: [channels, range.count])
      }
      body(tensor(reference), tensor(estimate))
    }
  }
}

/// What cannot be measured, and what to do.
public struct EvaluationError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
