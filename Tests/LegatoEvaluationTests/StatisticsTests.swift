import LegatoEvaluation
import LegatoNN
import LegatoTensor
import Testing

/// Standard normal rows `[n, d]`.
func normalRows(_ n: Int, _ d: Int, seed: UInt64) -> [Float] {
  RandomStream(seed: seed, stream: 0).normal(n * d)
}

@Suite struct SymmetricEigenTests {
  @Test func knownMatrices() {
    // Second differences: eigenvalues 2 − 2 cos(kπ / (n + 1)); for n = 3: 2 + √2, 2, 2 − √2.
    let eigen = SymmetricEigen([2, -1, 0, -1, 2, -1, 0, -1, 2], size: 3)
    let root = 2.0.squareRoot()
    for (value, known) in zip(eigen.values, [2 + root, 2, 2 - root]) { #expect(abs(value - known) < 1e-14) }
    #expect(SymmetricEigen([7], size: 1).values == [7])
    #expect(SymmetricEigen([3, 0, 0, 5], size: 2).values == [5, 3])
    #expect(SymmetricEigen([0, 0, 0, 0], size: 2).values == [0, 0])
    let rankOne = SymmetricEigen([1, 2, 3, 2, 4, 6, 3, 6, 9], size: 3)
    #expect(abs(rankOne.values[0] - 14) < 1e-13)
    #expect(rankOne.values.dropFirst().allSatisfy { abs($0) < 1e-13 })
  }

  @Test(arguments: [2, 5, 16, 64]) func reconstructsAndIsOrthonormal(n: Int) {
    let x = normalRows(n, n, seed: UInt64(n)).map { Double($0) }
    var a = [Double](repeating: 0, count: n * n)
    for i in 0..<n { for j in 0..<n { a[i * n + j] = x[i * n + j] + x[j * n + i] } }
    let eigen = SymmetricEigen(a, size: n)
    var (worst, orthogonality) = (0.0, 0.0)
    for i in 0..<n {
      for j in 0..<n {
        var (sum, dot) = (0.0, 0.0)
        for k in 0..<n {
          sum += eigen.vectors[k * n + i] * eigen.values[k] * eigen.vectors[k * n + j]
          dot += eigen.vectors[i * n + k] * eigen.vectors[j * n + k]
        }
        worst = max(worst, abs(sum - a[i * n + j]))
        orthogonality = max(orthogonality, abs(dot - (i == j ? 1 : 0)))
      }
    }
    #expect(worst < 1e-12 * Double(n))
    #expect(orthogonality < 1e-13 * Double(n))
    #expect(zip(eigen.values, eigen.values.dropFirst()).allSatisfy { $0 >= $1 })
  }
}

@Suite struct GaussianStatisticsTests {
  @Test func matchesTheDefinition() {
    let statistics = GaussianStatistics(rows: [1, 2, 3, 6, 5, 10], dimension: 2)
    #expect(statistics.mean == [3, 6])
    #expect(statistics.covariance == [4, 8, 8, 16])
  }

  @Test func mergingEqualsOnePass() {
    // A large offset: a sum of squares would lose everything.
    let rows = normalRows(1000, 3, seed: 1).map { $0 + 1000 }
    let whole = GaussianStatistics(rows: rows, dimension: 3)
    var merged = GaussianStatistics(dimension: 3)
    for range in [0..<3, 3..<600, 600..<600, 600..<3000] {
      merged.merge(.init(rows: Array(rows[range]), dimension: 3))
    }
    #expect(merged.count == 1000)
    #expect(zip(whole.mean, merged.mean).allSatisfy { abs($0 - $1) < 1e-9 })
    #expect(zip(whole.covariance, merged.covariance).allSatisfy { abs($0 - $1) < 1e-9 })
    #expect(whole.variance.allSatisfy { abs($0 - 1) < 0.2 })
  }
}

@Suite struct FrechetDistanceTests {
  private func diagonal(_ values: [Double]) -> [Double] {
    values.indices.flatMap { i in values.indices.map { $0 == i ? values[i] : 0 } }
  }

  @Test func diagonalGaussiansHaveAClosedForm() {
    let (s, t) = ([1.0, 4, 9, 0.25], [4.0, 1, 9, 0])
    let a = GaussianStatistics(count: 100, mean: [0, 1, 2, 3], covariance: diagonal(s))
    let b = GaussianStatistics(count: 100, mean: [1, 1, 0, 3], covariance: diagonal(t))
    let covariances = zip(s, t).reduce(0) {
      $0 + ($1.0.squareRoot() - $1.1.squareRoot()) * ($1.0.squareRoot() - $1.1.squareRoot())
    }
    let distance = FrechetDistance(reference: a, b)
    #expect(abs(distance.meanTerm - 5) < 1e-12)
    #expect(abs(distance.value - (5 + covariances)) < 1e-12)
  }

  @Test func isSymmetricAndZeroForTheSame() {
    let mixed = normalRows(400, 8, seed: 2)
    var other = normalRows(400, 8, seed: 3)
    for row in 0..<400 { other[row * 8] += other[row * 8 + 1] * 2 }
    let a = GaussianStatistics(rows: mixed, dimension: 8)
    let b = GaussianStatistics(rows: other, dimension: 8)
    #expect(FrechetDistance(reference: a, a).value < 1e-10)
    #expect(abs(FrechetDistance(reference: a, b).value - FrechetDistance(reference: b, a).value) < 1e-10)
    #expect(FrechetDistance(reference: a, b).value > 0.5)
  }

  @Test func fewRowsAreFiniteAndWarn() {
    let a = GaussianStatistics(rows: normalRows(5, 16, seed: 4), dimension: 16)
    let b = GaussianStatistics(rows: normalRows(400, 16, seed: 5), dimension: 16)
    let distance = FrechetDistance(reference: a, b)
    #expect(distance.value.isFinite && distance.value >= 0)
    #expect(distance.warning?.contains("5 vectors") == true)
    #expect(FrechetDistance(reference: b, b).warning == nil)
    #expect(FrechetDistance(reference: a, a).value < 1e-6)
  }

  @Test func projectionKeepsTheLargestDirections() {
    var rows = normalRows(2000, 6, seed: 6)
    for row in 0..<2000 { rows[row * 6 + 4] *= 10 }
    let statistics = GaussianStatistics(rows: rows, dimension: 6)
    let projection = PrincipalComponents(fittedOn: statistics, components: 2)
    let projected = projection.project(statistics)
    #expect(projected.dimension == 2)
    #expect(projected.mean.allSatisfy { abs($0) < 1e-9 })
    #expect(abs(projected.variance[0] / 100 - 1) < 0.1)
    #expect(abs(projected.covariance[1]) < 1e-8)
    #expect(projection.explained > 0.9 && projection.explained < 1)
  }
}

@Suite struct MaximumMeanDiscrepancyTests {
  @Test func separatesDistributions() throws {
    let a = normalRows(300, 4, seed: 7)
    let discrepancy = try #require(MaximumMeanDiscrepancy(reference: [a], dimension: 4, limit: 1000))
    let same = try #require(discrepancy.sums([normalRows(300, 4, seed: 8)]).value())
    let shifted = normalRows(300, 4, seed: 8).map { $0 + 1 }
    let far = try #require(discrepancy.sums([shifted]).value())
    #expect(abs(same) < 0.01)
    #expect(far > 0.1)
    #expect(MaximumMeanDiscrepancy(reference: [[1]], dimension: 1, limit: 1000) == nil)
  }
}
