import LegatoModels

/// Draws codes, whose logits the backbone's plan has computed already.
final class CodeDrawing: LatentDrawing {
  private let sampler: CodeSampler

  init(_ sampler: CodeSampler) { self.sampler = sampler }

  func draw(_ streams: [StreamCore], conditions: UnsafeBufferPointer<Float>) {
    let width = sampler.codebooks * sampler.codes
    for (row, stream) in streams.enumerated() {
      stream.draw(from: sampler, UnsafeBufferPointer(rebasing: conditions[row * width..<(row + 1) * width]))
    }
  }

  func recordAll() {}
}
