import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor
import Testing

extension Estimate {
  /// Whether the interval holds a value; nil without one.
  func contains(_ other: Double) -> Bool? {
    low.flatMap { low in high.map { low <= other && other <= $0 } }
  }
}

@Suite struct LogMelAnalyserTests {
  private let engine = CPUEngine(threads: 1)

  @Test func doesNotDependOnHowSoundIsCut() {
    let sound = RandomStream(seed: 1, stream: 0).normal(60_000).map { $0 * 0.1 }
    let whole = LogMelAnalyser(engine: engine)
    whole.append(sound)
    let parts = LogMelAnalyser(engine: engine)
    for first in stride(from: 0, to: sound.count, by: 1777) {
      parts.append(Array(sound[first..<min(sound.count, first + 1777)]))
    }
    #expect(whole.frames.count == 60_000 / LogMelAnalyser.samplesPerFrame * LogMelAnalyser.bands)
    #expect(zip(whole.frames, parts.frames).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test func knowsWhereAndWhenATonIs() {
    let analyser = LogMelAnalyser(engine: engine)
    let tone = (0..<96_000).map { $0 < 48_000 ? 0 : 0.5 * sin(2 * .pi * 1000 * Float($0) / 48_000) }
    analyser.append(tone)
    let frames = analyser.frames
    func band(_ frame: Int, _ band: Int) -> Float { frames[frame * LogMelAnalyser.bands + band] }
    // Silence is the floor; from the frame on that holds the tone's first sample, it is above.
    #expect((0..<12).allSatisfy { frame in (0..<64).allSatisfy { band(frame, $0) == log(1e-3 as Float) } })
    let loudest = (0..<64).max { band(20, $0) < band(20, $1) }
    // 1 kHz is mel 15 of 51.1 from 40 Hz (0.6) to 12 kHz: between bands 17 and 18 of 64.
    #expect(loudest == 17 || loudest == 18, "\(String(describing: loudest))")
    #expect(band(13, loudest ?? 0) > 0)
  }
}

@Suite struct EstimateTests {
  @Test func knownIntervals() throws {
    // t for 4 degrees of freedom is 2.7764; the deviation of 1...5 is √2.5.
    let estimate = try #require(Estimate(meanOf: [1, 2, 3, 4, 5]))
    let width = 2.7764 * (2.5 / 5).squareRoot()
    #expect(estimate.value == 3 && abs((estimate.low ?? 0) - (3 - width)) < 1e-4)
    // The jackknife of a mean is the mean's own interval.
    let samples = [2.0, 7, 1, 8, 2, 8]
    let without = samples.indices.map { left in
      samples.indices.filter { $0 != left }.reduce(0) { $0 + samples[$1] } / 5
    }
    let mean = try #require(Estimate(meanOf: samples))
    let jackknife = Estimate(mean.value, leavingOneOut: without)
    #expect(abs((mean.high ?? 0) - (jackknife.high ?? 1)) < 1e-9)
    #expect(mean.contains(mean.value) == true && mean.contains(100) == false)
    #expect(Estimate(meanOf: [4])?.contains(4) == nil && Estimate(meanOf: []) == nil)
    // Of logarithms: ln 4 with a standard error of ln 2, and 12.7062 is t for one degree of freedom.
    let geometric = try #require(Estimate(geometricMeanOf: [2, 8]))
    let factor = pow(2, 12.7062)
    #expect(abs(geometric.value - 4) < 1e-12)
    #expect(abs((geometric.low ?? 0) * factor / 4 - 1) < 1e-4)
    #expect(abs((geometric.high ?? 0) / factor / 4 - 1) < 1e-4)
    let single = try #require(Estimate(geometricMeanOf: [3]))
    #expect(abs(single.value - 3) < 1e-12 && single.low == nil)
    #expect(
      Estimate(geometricMeanOf: [-1, 3]) == Estimate(meanOf: [-1, 3]) && Estimate(geometricMeanOf: []) == nil)
    // A distance to oneself is at 0, and so is its interval's end.
    #expect(Estimate(positive: 0, leavingOneOut: [0, 1, 2]).low == 0)
    // A quotient of two figures of two samples each: relative errors 0.1 and 0, one degree of freedom.
    let quotient = try #require(
      Estimate(
        Estimate(10, standardError: 1, freedom: 1), dividedBy: Estimate(5, standardError: 0, freedom: 1)))
    #expect(quotient.value == 2 && quotient.freedom == 1)
    #expect(abs((quotient.high ?? 0) / 2 - exp(1.27062)) < 1e-4)
    // Equal ones have the sum of both.
    let equal = try #require(
      Estimate(
        Estimate(10, standardError: 1, freedom: 4), dividedBy: Estimate(10, standardError: 1, freedom: 4)))
    #expect(equal.freedom == 8 && abs((equal.high ?? 0) - exp(2.3060 * 0.02.squareRoot())) < 1e-4)
    // Thirty degrees of freedom: 2.0423.
    let many = try #require(Estimate(meanOf: (0..<31).map { Double($0) }))
    let deviation = try #require(Statistics.deviation((0..<31).map { Double($0) }))
    #expect(abs((many.high ?? 0) - many.value - 2.0423 * deviation / 31.0.squareRoot()) < 1e-3)
  }

  @Test func quantilesSlopesAndShares() throws {
    #expect(Statistics.quantile([4, 1, 3, 2], 0.5) == 2.5 && Statistics.quantile([], 0.5) == nil)
    #expect(Statistics.quantile([1, 2, 3], 0) == 1 && Statistics.quantile([1, 2, 3], 1) == 3)
    let slope = try #require(Statistics.slope([1, 2, 3], [5, 7, 9]))
    #expect(abs(slope - 2) < 1e-12 && Statistics.slope([1, 1], [2, 3]) == nil)
    // Wilson's interval of 9 in 10.
    let share = try #require(Statistics.share(9, of: 10))
    #expect(abs((share.low ?? 0) - 0.5958) < 1e-3 && abs((share.high ?? 0) - 0.9821) < 1e-3)
  }
}

@Suite struct ReferenceSetTests {
  /// Rows of a recording around a place of its own.
  private func recording(_ seed: UInt64, shift: Float = 0, rows: Int = 60) -> [Float] {
    let own = RandomStream(seed: seed, stream: 9).normal(4)
    return normalRows(rows, 4, seed: seed).enumerated().map { $1 + 0.5 * own[$0 % 4] + shift }
  }

  @Test func realRecordingsAreAtTheFloorAndOthersAreNot() throws {
    let set = try ReferenceSet((0..<40).map { recording(UInt64($0)) }, dimension: 4)
    let floor = try #require(set.floor(units: 8))
    #expect(floor.recordings == 8 && floor.groups == 5)
    let others = try #require(set.distance((100..<108).map { recording($0) }))
    let shifted = try #require(set.distance((100..<108).map { recording($0, shift: 1) }))
    #expect(abs(others.frechet.value - floor.frechet) < floor.frechet, "\(others) \(floor)")
    #expect(shifted.frechet.value > 10 * floor.frechet, "\(shifted) \(floor)")
    let high = try #require(others.frechet.high)
    #expect(try #require(shifted.frechet.low) > high)
    // Four dimensions shifted by 1 each.
    #expect(shifted.frechet.contains(4) == true, "\(shifted)")
    let (near, far) = try (#require(others.discrepancy), #require(shifted.discrepancy))
    #expect(near.contains(0) == true && (far.low ?? 0) > (near.high ?? 1), "\(near) \(far)")
    // A recording of the reference is compared with the others.
    let own = try #require(set.distance([recording(3)], leavingOut: [3]))
    #expect(own.frechet.value > floor.frechet && own.frechet.low == nil)
  }

  @Test func pairsWithinARecordingDoNotCount() throws {
    // Every recording stands still somewhere else: their mixture is the reference's, so the discrepancy is 0 in
    // the mean, which pairs within recordings would lift.
    func still(_ seed: UInt64) -> [Float] {
      let place = RandomStream(seed: seed, stream: 3).normal(2)
      return (0..<20).flatMap { _ in place }
    }
    let discrepancy = try #require(
      MaximumMeanDiscrepancy(reference: (0..<100).map { still($0) }, dimension: 2))
    let values = (0..<10).compactMap { group in
      discrepancy.sums((0..<10).map { still(UInt64(1000 + 10 * group + $0)) }).value()
    }
    let mean = try #require(Estimate(meanOf: values))
    #expect(mean.contains(0) == true, "\(mean)")
  }
}
