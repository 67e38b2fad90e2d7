import Foundation
import Testing

@testable import LegatoAudio

@Suite struct LimiterTests {
  /// The peak of the signal interpolated by libsoxr to 16 times the rate: a judge that is not our own filter.
  private func independentPeak(_ channels: [[Float]], rate: Int) throws -> Float {
    try AudioBuffer(sampleRate: rate, channels: channels).resampled(to: rate * 16).peak
  }

  private func decibels(_ value: Float) -> Double { AudioMeasure.decibels(Double(value)) }

  @Test func streamingEqualsOffline() {
    let input = noise(20_000, channels: 2, level: 2)
    var offline = TruePeakLimiter(sampleRate: 48000, channels: 2)
    let whole = joined([offline.process(input.channels), offline.finish()])
    for sizes in [[1], [7, 480, 3], [1024], [19_999]] {
      var limiter = TruePeakLimiter(sampleRate: 48000, channels: 2)
      var out = chunks(input.channels, sizes: sizes).map { limiter.process($0) }
      out.append(limiter.finish())
      #expect(joined(out) == whole)
      #expect(limiter.reducedSamples == offline.reducedSamples)
    }
    #expect(offline.reducedSamples > 10_000)
  }

  @Test func inPlaceAndFromASavedStateItIsTheSame() throws {
    let input = noise(9000, channels: 2, level: 2).channels
    var limiter = TruePeakLimiter(sampleRate: 48000, channels: 2)
    let expected = limiter.process(input)
    for cut in [0, 1, 100, 2000, 8999] {
      var first = TruePeakLimiter(sampleRate: 48000, channels: 2)
      let (one, two) = (
        PlanarMemory(input.map { Array($0[..<cut]) }), PlanarMemory(input.map { Array($0[cut...]) })
      )
      first.process(one.rows, frames: cut)
      var second = TruePeakLimiter(sampleRate: 48000, channels: 2)
      // It has heard something else before.
      _ = second.process(noise(777, channels: 2, level: 3).channels)
      let state = first.save()
      let restored = second.restore(state)
      #expect(restored && second.save() == state)
      second.process(two.rows, frames: 9000 - cut)
      #expect(joined([one.arrays(0..<cut), two.arrays(0..<(9000 - cut))]) == expected)
    }
    var state = limiter.save()
    var mono = TruePeakLimiter(sampleRate: 48000, channels: 1)
    // Of another size, nothing at all, an age and a value that cannot be.
    var refused = [!mono.restore(state), !limiter.restore([])]
    for wrong in [1e6, Float.nan] {
      state[state.count - 1] = wrong
      refused.append(!limiter.restore(state))
    }
    #expect(refused == [true, true, true, true])
  }

  @Test func belowTheCeilingItIsADelay() {
    let input = noise(5000, channels: 2, level: 0.4)
    var limiter = TruePeakLimiter(sampleRate: 48000, channels: 2)
    let out = joined([limiter.process(input.channels), limiter.finish()])
    #expect(limiter.latency <= 96)
    #expect(out[0].count == 5000 + limiter.latency)
    #expect(out.map { Array($0.dropFirst(limiter.latency)) } == input.channels)
    #expect(out[0].prefix(limiter.latency).allSatisfy { $0 == 0 })
    #expect(limiter.reducedSamples == 0)
  }

  @Test func transparentAgainAfterAPeak() {
    var input = noise(96_000, level: 0.3)
    input.channels[0][1000] = 3
    var limiter = TruePeakLimiter(sampleRate: 48000, channels: 1)
    let out = limiter.limit(input.channels)
    #expect(out[0].count == 96_000)
    #expect(out[0][..<800] == input.channels[0][..<800])
    #expect(out[0][90_000...] == input.channels[0][90_000...])
    #expect(limiter.reducedSamples > 1000 && limiter.reducedSamples < 90_000)
  }

  @Test(arguments: [44_100, 48_000]) func truePeakStaysUnderTheCeiling(rate: Int) throws {
    // A sine at a quarter of the rate, 45° off: its samples are 3 dB under its true peak.
    let quarter = (0..<9600).map { Float(1.2 * sin(2 * .pi * (Double($0) / 4 + 0.125))) }
    let loud = sine(997, rate: rate, seconds: 0.2, level: 4).channels[0]
    let music = (0..<9600).map { n -> Float in
      let t = Double(n) / Double(rate)
      return Float(
        1.1 * sin(2 * .pi * 220 * t) + 0.7 * sin(2 * .pi * 3300 * t) + 0.5 * sin(2 * .pi * 9100 * t))
    }
    for (signal, margin) in [(quarter, 0.05), (loud, 0.02), (music, 0.1)] {
      var limiter = TruePeakLimiter(sampleRate: rate, channels: 1)
      let out = limiter.limit([signal])
      #expect(limiter.reducedSamples > 0)
      #expect(out[0].allSatisfy { abs($0) <= limiter.ceiling })
      // The ends are steps, which ring without bound when interpolated; the middle is what is judged.
      let middle = [Array(out[0][1000..<8600])]
      let faded = Fade.apply(to: AudioBuffer(sampleRate: rate, channels: middle), fadeIn: 300, fadeOut: 300)
      let peak = try independentPeak(faded.channels, rate: rate)
      #expect(decibels(peak) <= -1 + margin, "\(decibels(peak)) dBTP")
      #expect(decibels(peak) > -2.5, "\(decibels(peak)) dBTP")
    }
  }

  @Test func channelsShareTheGain() {
    let left = sine(440, rate: 48000, seconds: 0.1, level: 2).channels[0]
    var limiter = TruePeakLimiter(sampleRate: 48000, channels: 2)
    let out = limiter.limit([left, left.map { $0 / 4 }])
    #expect(largestDifference([out[0]], [out[1].map { $0 * 4 }]) < 1e-5)
  }

  @Test func nonFiniteBecomesSilence() {
    var limiter = TruePeakLimiter(sampleRate: 48000, channels: 1)
    let out = limiter.limit([[0.1, .nan, .infinity, 0.2]])
    #expect(out == [[0.1, 0, 0, 0.2]])
    #expect(limiter.nonFiniteSamples == 2)
  }

  @Test func stateIsReusable() {
    let input = noise(3000, level: 2).channels
    var limiter = TruePeakLimiter(sampleRate: 48000, channels: 1)
    let first = limiter.limit(input)
    #expect(limiter.limit(input) == first)
  }

  @Test func truePeakOfASineBetweenSamples() {
    let quarter = (0..<4800).map { Float(0.5 * sin(2 * .pi * (Double($0) / 4 + 0.125))) }
    var faded = AudioBuffer(sampleRate: 48000, channels: [quarter])
    faded = Fade.apply(to: faded, fadeIn: 1000, fadeOut: 1000)
    #expect(faded.peak < 0.36)
    #expect(abs(AudioMeasure(faded).truePeakDBTP - AudioMeasure.decibels(0.5)) < 0.05)
  }
}
