import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// How much other models' velocities differ from a model's along its rollouts, noise, times and contexts alike.
struct VelocityChange {
  let rollouts: [Rollout]
  let threads: Int
  let isCancelled: @Sendable () -> Bool
  /// The original's velocities along each rollout.
  private let original: [[Float]]

  /// Throws ``ConversionError/cancelled``.
  init(
    of model: ContinuousModel, along rollouts: [Rollout], threads: Int,
    isCancelled: @escaping @Sendable () -> Bool
  ) throws {
    (self.rollouts, self.threads, self.isCancelled) = (rollouts, threads, isCancelled)
    original = try ParallelWork.map(rollouts.count, threads: threads) { index in
      if isCancelled() { throw ConversionError.cancelled }
      return try rollouts[index].velocities(of: model)
    }
  }

  /// RMS of the difference over RMS of the original's velocity, each rollout's sums apart. Throws ``ConversionError/cancelled``.
  func callAsFunction(_ model: ContinuousModel) throws -> RelativeChange {
    let (rollouts, original, isCancelled) = (rollouts, original, isCancelled)
    return RelativeChange(
      try ParallelWork.map(rollouts.count, threads: threads) { index in
        if isCancelled() { throw ConversionError.cancelled }
        return RelativeChange.Sums(original[index], try rollouts[index].velocities(of: model))
      })
  }
}

/// RMS of a difference over RMS of what it is measured from, over several pieces.
struct RelativeChange: Sendable {
  /// Sums of squares of a piece: of the difference, and of the original.
  struct Sums: Sendable {
    var difference = 0.0
    var whole = 0.0

    init(_ original: [Float], _ changed: [Float]) {
      for (x, y) in zip(original, changed) {
        difference += Double(x - y) * Double(x - y)
        whole += Double(x) * Double(x)
      }
    }
  }

  let pieces: [Sums]

  init(_ pieces: [Sums]) { self.pieces = pieces }

  var value: Double { Self.root(pieces) }

  /// With its interval by the jackknife over pieces.
  var estimate: Estimate {
    Estimate(
      positive: value,
      leavingOneOut: pieces.indices.map { left in
        Self.root(pieces.indices.filter { $0 != left }.map { pieces[$0] })
      })
  }

  private static func root(_ pieces: [Sums]) -> Double {
    let whole = pieces.reduce(0) { $0 + $1.whole }
    return whole > 0 ? (pieces.reduce(0) { $0 + $1.difference } / whole).squareRoot() : 0
  }
}
