import LegatoModels
import LegatoNN
import LegatoTensor

/// The objective of codes: the mean negative logarithm of their probabilities, in nats a code, over the delay pattern (MusicGen; Copet et
/// al. 2023).
///
/// Latents become codes here (``CodeSampler/codes(of:on:)``). What lies before a clip is not known: codes of it are neither read nor learned. What the
/// transform does to the context is not read.
public struct CodesObjective: Objective {
  public init() {}

  public func losses(
    _ model: ContinuousModel, _ batch: TransformedBatch, on backend: any Backend, random: RandomStream
  ) -> Tensor {
    guard let sampler = model.sampler.codes else {
      preconditionFailure("CodesObjective: the sampler is \(model.configuration.sampler.kind)")
    }
    let (items, length) = (batch.items, batch.positions)
    let (books, width) = (sampler.codebooks, sampler.codebooks * sampler.codes)
    let (read, aimed, counts) = Self.delayed(batch, by: sampler)
    let isStart = backend.tensor(batch.isStart, shape: [items, length, 1])
    let z = model.backbone(
      backend.tensor(read, shape: [items, length, width]) + isStart * backend.tensor(of: model.start),
      noise: backend.tensor([Float](repeating: 0, count: items * length), shape: [items, length, 1]),
      positions: backend.tensor(batch.inputPositions, shape: [length]))
    let rows = items * length
    let logits = sampler.logits(of: z).reshape([rows * books, sampler.codes])
    let found = (logits * backend.tensor(aimed, shape: [rows * books, sampler.codes])).sum(axis: 1)
    let nats = (logits.logarithmOfSum() - found.reshape([rows * books])).reshape([rows, books])
    // Weights of the codes that there are: their mean.
    let weights = (0..<rows * books).map { counts[$0] > 0 ? 1 / counts[$0] : 0 }
    return (nats * backend.tensor(weights, shape: [rows, books])).sum(axis: 1).reshape([items, length])
  }

  /// What positions read and what they are to draw, a 1 at each code, `[items, positions, codebooks, codes]`; and for each code how
  /// many its position has, 0 where it has none itself, `[items, positions, codebooks]`.
  static func delayed(_ batch: TransformedBatch, by sampler: CodeSampler) -> (
    read: [Float], aimed: [Float], counts: [Float]
  ) {
    let (length, d, books, codes) = (batch.positions, batch.dimension, sampler.codebooks, sampler.codes)
    let size = length * books * codes
    var read = [Float](repeating: 0, count: batch.items * size)
    var aimed = read
    var counts = [Float](repeating: 0, count: batch.items * length * books)
    let engine = CPUEngine(threads: 1)
    for item in 0..<batch.items {
      let begins = batch.isStart[item * length] == 1
      let targets = batch.targets[item * length * d..<(item + 1) * length * d]
      // A clip that begins in the middle of a piece has one latent before its first target.
      let before = begins ? [] : Array(batch.clean[item * length * d..<(item * length + 1) * d])
      let found = sampler.codes(of: before + targets, on: engine)
      let first = begins ? 0 : 1
      for position in 0..<length {
        let row = (item * length + position) * books
        // The step that is drawn here, counted from the clip's first latent; what is read is the one before it.
        let step = position + first
        let known = Float(min(books, step + 1))
        for book in 0..<books {
          if step - book >= 0 {
            aimed[(row + book) * codes + Int(found[(step - book) * books + book])] = 1
            counts[row + book] = known
          }
          if step - 1 - book >= 0 {
            read[(row + book) * codes + Int(found[(step - 1 - book) * books + book])] = 1
          }
        }
      }
    }
    return (read, aimed, counts)
  }
}
