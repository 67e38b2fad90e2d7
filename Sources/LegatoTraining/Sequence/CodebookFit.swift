import LegatoModels
import LegatoTensor

/// Finds codebooks of a residual vector quantisation: k-means of latents, then of what the codebooks so far leave, and so on.
enum CodebookFit {
  private static let rounds = 12

  /// Vectors `[codebooks · codes, D]` for training latents of a dataset; a function of its arguments alone.
  ///
  /// Throws ``LatentError`` for latents that cannot be read, ``TrainingError`` for too few of them.
  static func vectors(
    of data: LatentDataset, codebooks: Int, codes: Int, seed: UInt64, threads: Int
  ) throws -> [Float] {
    let crops = try data.spread(split: .train, frames: 1, count: max(16_384, 64 * codes))
    guard crops.count >= 4 * codes else {
      throw TrainingError(
        "there are \(crops.count) latents to train on, too few for codebooks of \(codes)",
        "Prepare more recordings, or lower model.sampler.codes.")
    }
    return vectors(
      of: crops.flatMap(\.values), dimension: data.dimension, codebooks: codebooks, codes: codes, seed: seed,
      on: CPUEngine(threads: threads))
  }

  /// The same for latents `[count, D]`, at least as many as a codebook has codes. As packages store them, in bfloat16: what is trained with is what plays.
  static func vectors(
    of latents: [Float], dimension d: Int, codebooks: Int, codes: Int, seed: UInt64, on engine: CPUEngine
  ) -> [Float] {
    let count = latents.count / d
    var rest = latents
    var vectors: [Float] = []
    for book in 0..<codebooks {
      let found = centres(
        of: rest, count: codes, dimension: d,
        order: RandomStream(seed: seed, name: "codebook \(book)").permutation(of: count), on: engine
      ).map { FloatBits.float(bfloat16: FloatBits.bfloat16($0)) }
      _ = CodeSampler.takeNearest(of: found, from: &rest, dimension: d, on: engine)
      vectors += found
    }
    return vectors
  }

  /// Lloyd's k-means from random points; a centre that nothing is near goes to another point.
  private static func centres(
    of points: [Float], count: Int, dimension d: Int, order: [Int], on engine: CPUEngine
  ) -> [Float] {
    var centres = order.prefix(count).flatMap { points[$0 * d..<($0 + 1) * d] }
    var spare = count
    for _ in 0..<rounds {
      var sums = [Float](repeating: 0, count: count * d)
      var members = [Float](repeating: 0, count: count)
      for (row, code) in CodeSampler.nearest(points, to: centres, dimension: d, on: engine).enumerated() {
        members[Int(code)] += 1
        for j in 0..<d { sums[Int(code) * d + j] += points[row * d + j] }
      }
      for code in 0..<count {
        if members[code] == 0 {
          let point = order[spare % order.count]
          spare += 1
          for j in 0..<d { centres[code * d + j] = points[point * d + j] }
        } else {
          for j in 0..<d { centres[code * d + j] = sums[code * d + j] / members[code] }
        }
      }
    }
    return centres
  }
}

/// Fresh weights but for one that is known.
final class ReplacingWeights: WeightSource {
  private let source: any WeightSource
  private let known: Weight

  init(_ known: Weight, in source: any WeightSource) { (self.known, self.source) = (known, source) }

  func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    guard name == known.name, shape == known.shape else {
      return try source.weight(named: name, shape: shape, initial: initial)
    }
    return known
  }
}
