import Legato
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// How a model draws the next latent after a real past: the same figures for all samplers, whatever their losses are.
///
/// At some positions of real pieces, several draws x₁ … x_M of a latent y that is known.
public struct OneStepDraws: Sendable, Codable, Hashable {
  /// Mean of |x − y| − ½ |x − x′|, ÷ √D: the energy score, a proper one (Gneiting and Raftery 2007); it is least for draws from the
  /// distribution that y comes from.
  public var energyScore: Estimate
  /// Mean square of a value of the drawn latents, ÷ that of the real ones.
  public var power: Estimate
  /// Variance between draws of one position, ÷ mean square of y less their mean: 1 where they vary as much as they err. Nil where so few
  /// draws vary so much that nothing is left of the error.
  public var spread: Estimate?
  /// Of pieces, positions in all of them, and draws of each.
  public var pieces: Int
  public var positions: Int
  public var draws: Int
  /// Draws that were no music and were taken again (``LatentStream/recoveries``), and that were none all the same.
  public var recoveries: Int
  public var failures: Int

  enum CodingKeys: String, CodingKey {
    case power, spread, pieces, positions, draws, recoveries, failures
    case energyScore = "energy_score"
  }

  /// Sums over positions of one piece.
  struct Sums: Sendable {
    var positions = 0
    /// Of energy scores.
    var score = 0.0
    /// Of mean squares.
    var (drawn, real) = (0.0, 0.0)
    /// Of variances between draws, and of y around their mean.
    var (between, unknown) = (0.0, 0.0)
    var (recoveries, failures) = (0, 0)

    /// - Parameter draws: two or more of `real`, `[D]` each.
    mutating func add(_ draws: [[Float]], of real: [Float]) {
      let (m, d) = (Double(draws.count), Double(real.count))
      func distance(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot()
      }
      var pairs = 0.0
      for (index, draw) in draws.enumerated() {
        for other in draws[..<index] { pairs += distance(draw, other) }
      }
      let away = draws.reduce(0) { $0 + distance($1, real) } / m
      score += (away - pairs / (m * (m - 1))) / d.squareRoot()
      for j in real.indices {
        let values = draws.map { Double($0[j]) }
        let mean = values.reduce(0, +) / m
        let y = Double(real[j])
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (m - 1)
        drawn += values.reduce(0) { $0 + $1 * $1 } / (m * d)
        self.real += y * y / d
        between += variance / d
        // The mean of m draws is itself uncertain by a part of their variance.
        unknown += ((y - mean) * (y - mean) - variance / m) / d
      }
      positions += 1
    }
  }

  /// Of the sums of each piece; intervals by leaving out pieces. Nil for no positions.
  init?(_ sums: [Sums], draws: Int) {
    let known = sums.filter { $0.positions > 0 }
    guard !known.isEmpty else { return nil }
    func quotient(_ numerator: KeyPath<Sums, Double>, _ denominator: (Sums) -> Double) -> Estimate {
      func value(_ sums: [Sums]) -> Double {
        sums.reduce(0) { $0 + $1[keyPath: numerator] } / sums.reduce(0) { $0 + denominator($1) }
      }
      return Estimate(
        value(known),
        leavingOneOut: known.indices.map { left in
          value(known.indices.filter { $0 != left }.map { known[$0] })
        })
    }
    energyScore = quotient(\.score) { Double($0.positions) }
    power = quotient(\.drawn) { $0.real }
    spread =
      known.reduce(0) { $0 + $1.unknown } > 0 ? quotient(\.between) { $0.unknown } : nil
    (pieces, self.draws) = (known.count, draws)
    (recoveries, failures) = known.reduce((0, 0)) { ($0.0 + $1.recoveries, $0.1 + $1.failures) }
    positions = known.reduce(0) { $0 + $1.positions }
  }

  /// Lets a model draw after the pasts of some pieces.
  ///
  /// - Parameters:
  ///   - options: how it draws, and what is done to the past that it reads; the seed is that of all draws.
  ///   - clips: beginnings of pieces, normalised latents `[positions, D]`.
  ///   - draws: of each position, two or more.
  ///   - every: positions from one that is drawn to the next.
  ///   - done: hears how many clips are finished, from any thread.
  ///   - check: is asked before each clip, and may throw.
  /// - Throws: `GenerationError` for a model that cannot continue a recording.
  public init?(
    of model: ContinuousModel, options: GenerationOptions, clips: [[Float]], draws: Int, every: Int,
    threads: Int, done: @Sendable (Int) -> Void = { _ in }, check: @Sendable () throws -> Void = {}
  ) throws {
    precondition(draws > 1 && every > 0, "OneStepDraws: \(draws) draws every \(every)")
    let sums = try ParallelWork.map(clips.count, threads: threads, done: done) { index in
      try check()
      return try Self.sums(model, options, clip: clips[index], number: index, draws: draws, every: every)
    }
    self.init(sums, draws: draws)
  }

  /// Seeds of a piece's context noise, and of one draw in it.
  static func seeds(_ seed: UInt64, piece: Int, draw: Int, of draws: Int) -> (past: UInt64, draw: UInt64) {
    let base = (seed &+ 1) &* 0x9e37_79b9_7f4a_7c15
    return (base &- UInt64(piece + 1), base &+ UInt64(piece * draws + draw))
  }

  static func sums(
    _ model: ContinuousModel, _ options: GenerationOptions, clip: [Float], number: Int, draws: Int, every: Int
  ) throws -> Sums {
    let stream = LatentStream(model: model, engine: CPUEngine(threads: 1), options: options)
    let d = stream.dimension
    var sums = Sums()
    try clip.withUnsafeBufferPointer { clip in
      for position in stride(from: every, to: clip.count / d, by: every) {
        stream.options.seed = seeds(options.seed, piece: number, draw: 0, of: draws).past
        try stream.feed(clip.extracting((position - every) * d..<position * d))
        let state = stream.save()
        let found = try (0..<draws).map { draw in
          stream.options.seed = seeds(options.seed, piece: number, draw: draw, of: draws).draw
          let drawn = Array(stream.next())
          try stream.restore(state)
          return drawn
        }
        sums.add(found, of: Array(clip[position * d..<(position + 1) * d]))
      }
    }
    (sums.recoveries, sums.failures) = (stream.recoveries, stream.failures)
    return sums
  }
}
