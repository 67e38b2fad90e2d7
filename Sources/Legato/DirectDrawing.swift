import LegatoModels

/// Draws from a distribution whose parameters the backbone's plan has computed already: of a mixture, or of codes.
final class DirectDrawing: LatentDrawing {
  private let width: Int
  private let draw: (StreamCore, UnsafeBufferPointer<Float>) -> Void

  /// - Parameters:
  ///   - width: parameters of one stream.
  ///   - draw: draws a stream's next latent, given its parameters. Does not allocate.
  init(width: Int, draw: @escaping (StreamCore, UnsafeBufferPointer<Float>) -> Void) {
    (self.width, self.draw) = (width, draw)
  }

  func draw(_ streams: [StreamCore], conditions: UnsafeBufferPointer<Float>) {
    for (row, stream) in streams.enumerated() {
      draw(stream, UnsafeBufferPointer(rebasing: conditions[row * width..<(row + 1) * width]))
    }
  }

  func recordAll() {}
}
