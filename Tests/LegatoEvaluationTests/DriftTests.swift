import LegatoEvaluation
import Testing

@Suite struct LatentDriftTests {
  private let dimension = 8

  private func sequence(_ name: String, frames: Int, seed: UInt64, drift: Float = 0) -> LatentSequence {
    var values = normalRows(frames, dimension, seed: seed)
    for frame in 0..<frames {
      for j in 0..<dimension { values[frame * dimension + j] += drift * Float(frame) / Float(frames) }
    }
    return LatentSequence(name: name, dimension: dimension, values: values)
  }

  @Test func findsDriftByPosition() throws {
    let reference = (0..<4).map { sequence("real \($0)", frames: 1000, seed: UInt64($0)) }
    let steady = (0..<4).map { sequence("steady \($0)", frames: 1000, seed: 10 + UInt64($0)) }
    let drifting = (0..<4).map { sequence("drifting \($0)", frames: 1000, seed: 10 + UInt64($0), drift: 3) }
    let good = try LatentDriftReport(
      reference: LatentDriftReference(reference, components: 4), rollouts: steady, frameRate: 25,
      binSeconds: 10)
    let bad = try LatentDriftReport(
      reference: LatentDriftReference(reference, components: nil), rollouts: drifting, frameRate: 25,
      binSeconds: 10)
    #expect(good.bins.count == 4 && bad.bins.count == 4)
    #expect(good.components == 4 && bad.components == nil)
    #expect(
      good.bins.allSatisfy { $0.distance.value < 0.1 && $0.frames == 1000 && $0.rolloutDistances.count == 4 })
    #expect(zip(bad.bins, bad.bins.dropFirst()).allSatisfy { $0.distance.value < $1.distance.value })
    // Mean drift of the last bin: 3 · 0.875 in each of eight dimensions.
    let last = try #require(bad.bins.last)
    #expect(abs(last.meanShift - 2.625 * 8.0.squareRoot()) < 0.2)
    #expect(good.bins.allSatisfy { abs($0.deviationRatio - 1) < 0.05 })
    let floor = try #require(good.rolloutFloor)
    #expect(abs((good.bins[0].rolloutMean ?? 0) - floor) < floor)
    #expect(good.pooledFloor != nil)
    #expect(good.markdown.contains("| 30–40 |"))
    #expect(good.markdown.split(separator: "\n").count == 8)
  }

  @Test func rolloutsMayDifferInLength() throws {
    let report = try LatentDriftReport(
      reference: LatentDriftReference([sequence("real", frames: 2000, seed: 1)]),
      rollouts: [sequence("long", frames: 700, seed: 2), sequence("short", frames: 300, seed: 3)],
      frameRate: 25,
      binSeconds: 10)
    #expect(report.bins.map(\.frames) == [500, 300, 200])
    #expect(report.bins[1].rolloutDistances[1] == nil)
    #expect(report.bins[2].rolloutMean == nil && report.bins[2].end == 28)
  }

  @Test func refusesWhatCannotBeCompared() {
    let real = sequence("real", frames: 100, seed: 1)
    let other = LatentSequence(name: "other", dimension: 4, values: [0, 1, 2, 3, 4, 5, 6, 7])
    let broken = LatentSequence(name: "broken", dimension: 8, values: [Float](repeating: .nan, count: 800))
    #expect(throws: EvaluationError.self) {
      try LatentDriftReport(reference: LatentDriftReference([real]), rollouts: [other], frameRate: 25)
    }
    #expect(throws: EvaluationError.self) {
      try LatentDriftReport(reference: LatentDriftReference([real]), rollouts: [broken], frameRate: 25)
    }
    #expect(throws: EvaluationError.self) {
      try LatentDriftReport(reference: LatentDriftReference([]), rollouts: [real], frameRate: 25)
    }
    #expect(throws: EvaluationError.self) {
      try LatentDriftReport(
        reference: LatentDriftReference([real]), rollouts: [real], frameRate: 25, binSeconds: 0.01)
    }
  }
}
