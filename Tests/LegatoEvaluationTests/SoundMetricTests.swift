import Foundation
import LegatoAudio
import LegatoNN
import LegatoTensor
import Testing

@testable import LegatoEvaluation

@Suite struct FrechetRowsTests {
  /// From its definition, by the singular values of the covariances' roots: an independent way through eigenvectors.
  private func definition(_ x: [Float], _ y: [Float], _ d: Int) -> Double {
    let (a, b) = (GaussianStatistics(rows: x, dimension: d), GaussianStatistics(rows: y, dimension: d))
    func root(_ matrix: [Double]) -> [Double] {
      let eigen = SymmetricEigen(matrix, size: d)
      var result = [Double](repeating: 0, count: d * d)
      for k in 0..<d {
        for i in 0..<d {
          for j in 0..<d {
            result[i * d + j] +=
              max(eigen.values[k], 0).squareRoot() * eigen.vectors[k * d + i] * eigen.vectors[k * d + j]
          }
        }
      }
      return result
    }
    func product(_ a: [Double], _ b: [Double]) -> [Double] {
      (0..<d * d).map { (place: Int) -> Double in
        let (i, j) = (place / d, place % d)
        var sum = 0.0
        for k in 0..<d { sum += a[i * d + k] * b[k * d + j] }
        return sum
      }
    }
    let half = root(a.covariance)
    let inner = product(product(half, b.covariance), half)
    let trace = SymmetricEigen(inner, size: d).values.reduce(0) { $0 + max($1, 0).squareRoot() }
    let mean = zip(a.mean, b.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return mean + a.variance.reduce(0, +) + b.variance.reduce(0, +) - 2 * trace
  }

  private func rows(_ n: Int, _ d: Int, seed: UInt64, shift: Float = 0) -> [Float] {
    // Directions of different weight, mixed with their neighbours.
    var x = normalRows(n, d, seed: seed)
    for row in 0..<n {
      for j in 0..<d {
        x[row * d + j] = shift + x[row * d + j] / Float(1 + j) + 0.3 * x[row * d + (j + 1) % d]
      }
    }
    return x
  }

  @Test(arguments: [(4, 50, 40), (12, 300, 200), (24, 20, 15), (24, 200, 10), (24, 10, 200)])
  func allWaysAgreeWithTheDefinition(d: Int, n: Int, m: Int) throws {
    let (x, y) = (rows(n, d, seed: 11), rows(m, d, seed: 12, shift: 0.2))
    let known = definition(x, y, d)
    let reference = try #require(FrechetRows.Reference(x, dimension: d))
    let byRows = try #require(FrechetRows(y, reference: reference).whole)
    let byStatistics = FrechetDistance(
      reference: GaussianStatistics(rows: x, dimension: d), GaussianStatistics(rows: y, dimension: d))
    let scale = 1e-7 * (reference.trace + GaussianStatistics(rows: y, dimension: d).variance.reduce(0, +))
    #expect(abs(byRows.value - known) < scale, "\(byRows.value) and \(known)")
    #expect(abs(byStatistics.value - known) < scale, "\(byStatistics.value) and \(known)")
    #expect(byRows.count == m && byRows.referenceCount == n && byRows.dimension == d)
    #expect((byRows.warning != nil) == (min(n, m) <= d))
  }

  @Test func partsAreTheDistancesOfTheirRows() throws {
    let (x, y) = (rows(90, 6, seed: 1), rows(40, 6, seed: 2))
    let reference = try #require(FrechetRows.Reference(x, dimension: 6))
    let all = FrechetRows(y, reference: reference)
    for part in [Array(0..<20), [3, 3, 7, 11, 11, 39], [5, 4]] {
      let picked = part.flatMap { y[$0 * 6..<($0 + 1) * 6] }
      let alone = try #require(FrechetRows(picked, reference: reference).whole)
      #expect(abs(try #require(all.distance(of: part)).value - alone.value) < 1e-12)
    }
    #expect(all.distance(of: [1]) == nil && FrechetRows.Reference([1, 2], dimension: 2) == nil)
    let own = try #require(FrechetRows(x, reference: reference).whole)
    #expect(own.value >= 0 && own.value < 1e-8)
  }

  @Test func knownGaussiansOfOneDimension() throws {
    // Means 0 and 3, variances 2 and 8: 9 + (√8 − √2)² = 11.
    let reference = try #require(FrechetRows.Reference([-1, 1], dimension: 1))
    #expect(abs(try #require(FrechetRows([1, 5], reference: reference).whole).value - 11) < 1e-12)
  }

  @Test func factorsKnowTheirRank() {
    // Rows (1, 2, 3) and (0, 1, 1), outer products summed.
    let s: [Double] = [1, 2, 3, 2, 5, 7, 3, 7, 10]
    let (f, rank) = Matrix.factor(s, 3)
    #expect(rank == 2 && f.count == 6)
    for i in 0..<3 {
      for j in 0..<3 {
        let product: Double = f[i] * f[j] + f[3 + i] * f[3 + j]
        #expect(abs(product - s[i * 3 + j]) < 1e-13)
      }
    }
    #expect(Matrix.factor([0, 0, 0, 0], 2).rank == 0)
    let flat = FrechetRows.Reference([Float](repeating: 1, count: 12), dimension: 2)
    #expect(flat.flatMap { FrechetRows([1, 1, 2, 1], reference: $0).whole?.value } == 0.75)
  }

  @Test func valuesAloneAreTheValues() {
    let x = normalRows(70, 70, seed: 4).map { Double($0) }
    let s = (0..<4900).map { (place: Int) -> Double in
      let (i, j) = (place / 70, place % 70)
      return x[i * 70 + j] + x[j * 70 + i]
    }
    let all = SymmetricEigen(s, size: 70).values
    #expect(zip(all, SymmetricEigen.values(s, size: 70)).allSatisfy { abs($0 - $1) < 1e-11 })
  }
}

@Suite struct FrechetExtrapolationTests {
  private func extrapolated(_ n: Int, _ d: Int, seed: UInt64, replacing: Bool = false) throws
    -> FrechetExtrapolation
  {
    let reference = try #require(
      FrechetRows.Reference(normalRows(20_000, d, seed: 1), dimension: d))
    return try #require(
      FrechetExtrapolation(
        FrechetRows(normalRows(n, d, seed: seed), reference: reference), of: Array(0..<n),
        withReplacement: replacing))
  }

  @Test func theSameDistributionIsNearZero() throws {
    for replacing in [false, true] {
      let fit = try extrapolated(3000, 16, seed: 2, replacing: replacing)
      #expect(fit.points.map(\.samples).first == 500 && fit.points.last?.samples == 3000)
      #expect(fit.points.count == 25 && fit.withReplacement == replacing)
      // The smallest part is biased by 0.4; without the bias a tenth of that is left at most.
      let biased = try #require(fit.points.first).value
      #expect(biased > 0.1 && abs(fit.value) < 0.25 * biased, "\(fit.value) of \(biased)")
      #expect(fit.slope > 0 && (fit.explained ?? 0) > 0.8, "\(String(describing: fit.explained))")
    }
  }

  /// Without one row, a part that did not hold it is the same part: a jackknife sees what it leaves out, and no other draw.
  @Test func partsAreInCommon() throws {
    let reference = try #require(FrechetRows.Reference(normalRows(2000, 4, seed: 1), dimension: 4))
    let rows = FrechetRows(normalRows(1200, 4, seed: 2), reference: reference)
    for replacing in [false, true] {
      func first(without left: Int?) throws -> Double {
        let fit = FrechetExtrapolation(
          rows, of: (0..<1200).filter { $0 != left }, withReplacement: replacing)
        return try #require(fit?.points.first).value
      }
      let whole = try first(without: nil)
      let same = try (0..<20).filter { try first(without: $0) == whole }.count
      // 500 of 1200 rows are in the first part.
      #expect((4...18).contains(same), "\(same)")
    }
  }

  @Test func mayBeNegative() throws {
    // All rows of the reference itself: 0 at the end of the line, which goes on falling.
    let rows = normalRows(1200, 8, seed: 3)
    let reference = try #require(FrechetRows.Reference(rows, dimension: 8))
    let fit = try #require(
      FrechetExtrapolation(FrechetRows(rows, reference: reference), of: Array(0..<1200)))
    #expect(fit.value < 0 && abs(fit.points.last?.value ?? 1) < 1e-9, "\(fit)")
    let again = FrechetExtrapolation(FrechetRows(rows, reference: reference), of: Array(0..<1200))
    #expect(again == fit)
    let other = FrechetExtrapolation(
      FrechetRows(rows, reference: reference), of: Array(0..<1200), seed: 1)
    #expect(other != fit)
  }

  @Test func theLineIsTheLeastSquares() throws {
    let fit = try extrapolated(600, 4, seed: 5)
    let x = fit.points.map { 1 / Double($0.samples) }
    let rest = zip(x, fit.points).map { $1.value - fit.value - fit.slope * $0 }
    // What is left is at right angles to the line's two parts.
    #expect(abs(rest.reduce(0, +)) < 1e-12)
    #expect(abs(zip(x, rest).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-14)
    let mean = fit.points.reduce(0) { $0 + $1.value } / 25
    let total = fit.points.reduce(0) { $0 + ($1.value - mean) * ($1.value - mean) }
    let explained = 1 - rest.reduce(0) { $0 + $1 * $1 } / total
    #expect(abs(try #require(fit.explained) - explained) < 1e-10)
    let reference = try #require(FrechetRows.Reference(normalRows(90, 2, seed: 1), dimension: 2))
    let few = FrechetRows(normalRows(49, 2, seed: 2), reference: reference)
    #expect(FrechetExtrapolation(few, of: Array(0..<49)) == nil)
  }
}

@Suite struct KernelAudioDistanceTests {
  private func squared(_ a: [Float], _ i: Int, _ b: [Float], _ j: Int, _ d: Int) -> Double {
    var sum = 0.0
    for k in 0..<d {
      let difference = Double(a[i * d + k]) - Double(b[j * d + k])
      sum += difference * difference
    }
    return sum
  }

  private func definition(_ x: [Float], _ y: [Float], _ d: Int) -> Double {
    let (n, m) = (x.count / d, y.count / d)
    var distances: [Double] = []
    for i in 0..<n { for j in 0..<i { distances.append(squared(x, i, x, j, d)) } }
    let gamma = 1 / (2 * distances.sorted()[distances.count / 2])
    func mean(_ a: [Float], _ p: Int, _ b: [Float], _ q: Int, isOwn: Bool) -> Double {
      var sum = 0.0
      for i in 0..<p { for j in 0..<q where !isOwn || i != j { sum += exp(-gamma * squared(a, i, b, j, d)) } }
      return sum / Double(isOwn ? p * (p - 1) : p * q)
    }
    return 100
      * (mean(x, n, x, n, isOwn: true) + mean(y, m, y, m, isOwn: true) - 2 * mean(x, n, y, m, isOwn: false))
  }

  @Test func matchesTheDefinitionAndLeavesOut() throws {
    let d = 11
    let x = normalRows(60, d, seed: 1)
    let y = normalRows(40, d, seed: 2).map { $0 + 0.3 }
    func pieces(_ rows: [Float], of size: Int) -> [[Float]] {
      stride(from: 0, to: rows.count, by: size * d).map { Array(rows[$0..<$0 + size * d]) }
    }
    let distance = try #require(KernelAudioDistance(reference: pieces(x, of: 10), dimension: d))
    let found = try #require(distance.distance(pieces(y, of: 5), leavingOut: [[0], [1, 7], []]))
    #expect(abs(found.value - definition(x, y, d)) < 1e-4)
    let without = [
      Array(y[5 * d..<40 * d]), Array(y[..<(5 * d)] + y[10 * d..<35 * d]), y,
    ]
    for (value, rest) in zip(found.without, without) {
      #expect(abs(value - definition(x, rest, d)) < 1e-4, "\(value)")
    }
    #expect(KernelAudioDistance(reference: [[1, 2]], dimension: 2) == nil)
    #expect(distance.distance([Array(y[..<d])]) == nil)
    // To itself it is unbiased, so below 0.
    #expect(try #require(distance.distance([x])).value < 0)
  }

  /// Memory goes with the rows that are kept, not with all.
  @Test func tensOfThousandsOfSingleVectorsAreWhatTheyAreTogether() throws {
    let (x, y) = (normalRows(60_000, 1, seed: 3), normalRows(60_000, 1, seed: 4).map { $0 + 0.3 })
    let groups = [Array(0..<3000), Array(57_000..<60_000)]
    let single = try #require(
      KernelAudioDistance(reference: x.map { [$0] }, dimension: 1)?
        .distance(y.map { [$0] }, leavingOut: groups))
    func parts(_ rows: [Float]) -> [[Float]] {
      stride(from: 0, to: rows.count, by: 3000).map { Array(rows[$0..<$0 + 3000]) }
    }
    let together = try #require(
      KernelAudioDistance(reference: parts(x), dimension: 1)?.distance(parts(y), leavingOut: [[0], [19]]))
    for (a, b) in zip([single.value] + single.without, [together.value] + together.without) {
      #expect(abs(a - b) < 1e-9 * abs(b), "\(a), together \(b)")
    }
    #expect(single.without.count == 2 && single.value > 1)
    let few = MaximumMeanDiscrepancy(reference: x.map { [$0] }, dimension: 1, limit: 100)
    let sums = try #require(few?.sums(y.map { [$0] }, limit: 100))
    #expect(
      sums.places.count == 60_000 && sums.within.count == 100 && sums.between.allSatisfy { $0.count == 100 })
  }
}

@Suite struct ClassMetricTests {
  @Test func divergenceOfKnownLogits() throws {
    // P = (3/4, 1/4), Q = (1/2, 1/2).
    let value = KLDivergence.value(target: [Float(log(3.0)), 0], generated: [5, 5])
    let known = 0.75 * log(0.75 / 0.500001) + 0.25 * log(0.25 / 0.500001)
    #expect(abs(value - known) < 1e-7, "\(value)")
    #expect(abs(KLDivergence.value(target: [900, -900], generated: [-900, 900]) - log(1e6)) < 1e-9)
    let mean = try #require(
      KLDivergence.mean([([Float(log(3.0)), 0], [5, 5]), ([1, 1], [1, 1])]))
    #expect(abs(mean.value - known / 2) < 1e-5 && mean.low != nil)
    #expect(KLDivergence.mean([]) == nil)
  }

  @Test func inceptionScoreOfKnownLogits() throws {
    #expect(abs(InceptionScore.score([[1000, 0], [0, 1000]][...]) - 2) < 1e-12)
    // Everybody alike: nothing is told apart.
    let alike = try #require(InceptionScore([[Float]](repeating: [3, 1, 0], count: 40)))
    #expect(abs(alike.mean - 1) < 1e-12 && alike.deviation < 1e-12 && alike.splits.count == 10)
    // p = (3/4, 1/4) and (1/4, 3/4) with the mean (1/2, 1/2).
    let l = Float(log(3.0))
    let known = exp(0.75 * log(1.5) + 0.25 * log(0.5))
    #expect(abs(InceptionScore.score([[l, 0], [0, l]][...]) - known) < 1e-7)
    #expect(InceptionScore([[Float]](repeating: [1, 0], count: 19)) == nil)
    let parts = InceptionScore.parts(of: (0..<25).map { [Float($0)] })
    #expect(parts.map(\.count) == [2, 3, 2, 3, 2, 3, 2, 3, 2, 3])
  }
}

@Suite struct SignalDistortionTests {
  @Test func knownRatios() throws {
    let s = (0..<1000).map { Float(sin(0.02 * Double.pi * Double($0))) }
    let c = (0..<1000).map { Float(cos(0.02 * Double.pi * Double($0))) }
    func sound(_ samples: [Float]) -> AudioBuffer { AudioBuffer(sampleRate: 8000, channels: [samples]) }
    // An orthogonal disturbance of a tenth: 20 dB, at any gain, whatever is added to all.
    let copy = zip(s, c).map { 0.5 * ($0 + 0.1 * $1) + 0.2 }
    let ratio = try #require(try SignalDistortion()(reference: sound(s), estimate: sound(copy)))
    #expect(abs(ratio - 20) < 1e-3, "\(ratio)")
    let same = try #require(try SignalDistortion()(reference: sound(s), estimate: sound(s)))
    #expect(same > 120 && same <= 200)
    let silence = sound([Float](repeating: 0, count: 1000))
    #expect(try SignalDistortion()(reference: silence, estimate: sound(s)) == nil)
    #expect(try SignalDistortion()(reference: sound(s), estimate: silence) == nil)
  }
}
