import LegatoNN
import LegatoTensor

/// Codes of latents by residual vector quantisation, each with a categorical distribution that is a linear function of `z` (the discrete
/// baseline: codebook after codebook quantises what those before it leave, as in SoundStream, Zeghidour et al. 2021).
///
/// At every position the codes of one codebook each of as many latents are drawn side by side: the first of the newest latent, the
/// second of the one before it (the delay pattern of MusicGen, Copet et al. 2023). So a latent is complete `delay` positions after its first code.
public struct CodeSampler: Sendable {
  public let codebooks: Int
  /// Of a codebook.
  public let codes: Int
  public let dimension: Int
  /// What the codes stand for, `[codebooks · codes, D]`: found before training (``CodebookFit`` in LegatoTraining), not by gradients.
  public let vectors: Weight
  private let output: Linear
  private let values: [Float]

  public static let vectorsName = "sampler.codebooks"

  public init(
    _ scope: WeightScope, _ configuration: SamplerConfiguration, conditionWidth: Int, latentDimension: Int
  ) throws {
    (codebooks, codes, dimension) = (configuration.codebooks, configuration.codes, latentDimension)
    vectors = try scope.weight("codebooks", [codebooks * codes, latentDimension], .normal(1))
    values = vectors.floats()
    output = try Linear(scope["out"], conditionWidth, codebooks * codes, initial: .normal(0.02))
  }

  /// Positions between a latent's first code and its last.
  public var delay: Int { codebooks - 1 }

  /// Logits of one position.
  public var parameterCount: Int { codebooks * codes }

  /// For z `[..., H]`: logarithms of probabilities up to a constant of each codebook, `[..., codebooks · codes]`.
  public func logits(of z: Tensor) -> Tensor { output(z) }

  /// Codes `[count, codebooks]` of latents `[count, D]`, each the nearest to what those before it leave.
  public func codes(of latents: [Float], on engine: CPUEngine) -> [Int32] {
    let count = latents.count / dimension
    var result = [Int32](repeating: 0, count: count * codebooks)
    var rest = latents
    for book in 0..<codebooks {
      let vectors = Array(values[book * codes * dimension..<(book + 1) * codes * dimension])
      let nearest = Self.takeNearest(of: vectors, from: &rest, dimension: dimension, on: engine)
      for row in 0..<count { result[row * codebooks + book] = nearest[row] }
    }
    return result
  }

  /// Takes from each of `points` `[count, D]` the vector, of `[n, D]`, that is nearest to it; gives their indices.
  public static func takeNearest(
    of vectors: [Float], from points: inout [Float], dimension: Int, on engine: CPUEngine
  ) -> [Int32] {
    let nearest = nearest(points, to: vectors, dimension: dimension, on: engine)
    for (row, index) in nearest.enumerated() {
      for j in 0..<dimension { points[row * dimension + j] -= vectors[Int(index) * dimension + j] }
    }
    return nearest
  }

  /// Latents `[count, D]` as their codes say them.
  public func quantised(_ latents: [Float], on engine: CPUEngine) -> [Float] {
    var result = [Float](repeating: 0, count: latents.count)
    for (index, code) in codes(of: latents, on: engine).enumerated() {
      let (row, book) = index.quotientAndRemainder(dividingBy: codebooks)
      result.withUnsafeMutableBufferPointer {
        add(Int(code), of: book, to: $0.extracting(row * dimension..<(row + 1) * dimension))
      }
    }
    return result
  }

  /// Index of the vector, of `[n, D]`, that is nearest to each of `points` `[count, D]`.
  public static func nearest(_ points: [Float], to vectors: [Float], dimension: Int, on engine: CPUEngine)
    -> [Int32]
  {
    let (count, n) = (points.count / dimension, vectors.count / dimension)
    guard count > 0 else { return [] }
    let halves = (0..<n).map { index in
      vectors[index * dimension..<(index + 1) * dimension].reduce(0) { $0 + $1 * $1 } / 2
    }
    let products = engine.tensor(points, shape: [count, dimension])
      .matmul(engine.tensor(vectors, shape: [n, dimension]), transposed: true).floats()
    return (0..<count).map { row in
      var (best, score) = (0, -Float.infinity)
      for index in 0..<n where products[row * n + index] - halves[index] > score {
        (best, score) = (index, products[row * n + index] - halves[index])
      }
      return Int32(best)
    }
  }

  // MARK: In a stream
  //
  // What a stream keeps is the codes of its last positions, `[codebooks, codebooks]`, the newest position first and the coarsest codebook
  // first, as numbers; -1 where there is none yet.

  /// Values that a stream keeps.
  public var streamDimension: Int { codebooks * codebooks }

  /// The newest position as the backbone reads it, `[codebooks · codes]`: 1 at every code.
  public func expand(_ kept: UnsafeBufferPointer<Float>, to input: UnsafeMutableBufferPointer<Float>) {
    input.update(repeating: 0)
    for book in 0..<codebooks where kept[book] >= 0 { input[book * codes + Int(kept[book])] = 1 }
  }

  /// Draws a position's codes after those of `kept`, into `drawn`. Does not allocate.
  ///
  /// - Parameters:
  ///   - logits: `[codebooks · codes]`.
  ///   - position: of the stream; the first ones have no latents for the finer codebooks.
  ///   - temperature: what logits are divided by.
  ///   - uniform: a number from 0 to 1 for each codebook.
  public func draw(
    _ logits: UnsafeBufferPointer<Float>, after kept: UnsafeBufferPointer<Float>, position: Int,
    temperature: Float, uniform: (Int) -> Float, to drawn: UnsafeMutableBufferPointer<Float>
  ) {
    for index in codebooks..<streamDimension { drawn[index] = kept[index - codebooks] }
    for book in 0..<codebooks {
      drawn[book] =
        position < book
        ? -1
        : Self.draw(
          UnsafeBufferPointer(rebasing: logits[book * codes..<(book + 1) * codes]),
          temperature: temperature, uniform: uniform(book))
    }
  }

  /// A code; NaN where the logits are no numbers.
  private static func draw(_ logits: UnsafeBufferPointer<Float>, temperature: Float, uniform: Float) -> Float
  {
    var most = -Float.infinity
    for value in logits { most = max(most, value) }
    let inverse = 1 / max(temperature, 1e-3)
    func share(_ value: Float) -> Float { Float(Double.exponential(Double((value - most) * inverse))) }
    var sum: Float = 0
    for value in logits { sum += share(value) }
    guard sum.isFinite, sum > 0 else { return .nan }
    var left = uniform * sum
    for index in 0..<logits.count - 1 {
      left -= share(logits[index])
      if left < 0 { return Float(index) }
    }
    return Float(logits.count - 1)
  }

  /// The latent that the newest position has completed, `[D]`; zeros before the first.
  public func latent(of kept: UnsafeBufferPointer<Float>, to latent: UnsafeMutableBufferPointer<Float>) {
    latent.update(repeating: 0)
    // Its coarsest code is the oldest.
    guard kept[delay * codebooks] >= 0 else { return }
    for book in 0..<codebooks {
      add(Int(kept[(delay - book) * codebooks + book]), of: book, to: latent)
    }
  }

  private func add(_ code: Int, of book: Int, to latent: UnsafeMutableBufferPointer<Float>) {
    let vector = (book * codes + code) * dimension
    for j in 0..<dimension { latent[j] += values[vector + j] }
  }
}
