import LegatoModels

/// Draws from mixtures, whose parameters the backbone's plan has computed already.
final class MixtureDrawing: LatentDrawing {
  private let sampler: MixtureSampler

  init(_ sampler: MixtureSampler) { self.sampler = sampler }

  func draw(_ streams: [StreamCore], conditions: UnsafeBufferPointer<Float>) {
    let width = sampler.modes * (1 + 2 * sampler.dimension)
    for (row, stream) in streams.enumerated() {
      stream.draw(from: sampler, UnsafeBufferPointer(rebasing: conditions[row * width..<(row + 1) * width]))
    }
  }

  func recordAll() {}
}
