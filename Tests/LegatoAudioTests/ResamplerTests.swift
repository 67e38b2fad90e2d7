import Foundation
import Testing

@testable import LegatoAudio

@Suite struct ResamplerTests {
  @Test(arguments: [(44_100, 48_000), (48_000, 16_000), (48_000, 44_100), (8_000, 48_000), (22_050, 96_000)])
  func sineKeepsFrequencyLevelAndPlace(rates: (Int, Int)) throws {
    let input = sine(1000, rate: rates.0, seconds: 1, channels: 2)
    let output = try input.resampled(to: rates.1)
    let ideal = sine(1000, rate: rates.1, seconds: 1, channels: 2)
    #expect(output.frameCount == rates.1)
    #expect(output.sampleRate == rates.1)
    // Away from the ends, where the sine starts from nothing.
    let middle = rates.1 / 10..<rates.1 * 9 / 10
    #expect(
      largestDifference(output.slice(frames: middle).channels, ideal.slice(frames: middle).channels) < 1e-5)
  }

  @Test func whatTheNewRateCannotHoldIsGone() throws {
    let output = try sine(15_000, rate: 48_000, seconds: 0.5).resampled(to: 16_000)
    #expect(output.slice(frames: 1000..<7000).peak < 1e-5)
  }

  @Test(arguments: [[1, 2, 3], [441], [10_000, 1]]) func streamingEqualsOffline(sizes: [Int]) throws {
    let input = noise(12_345, channels: 2, rate: 44_100)
    let whole = try input.resampled(to: 48_000)
    let resampler = try Resampler(from: 44_100, to: 48_000, channels: 2)
    var out = try chunks(input.channels, sizes: sizes).map { try resampler.process($0) }
    out.append(try resampler.finish())
    let streamed = joined(out)
    #expect(streamed[0].count == Resampler.outputFrames(12_345, from: 44_100, to: 48_000))
    #expect(largestDifference(streamed, whole.channels) < 1e-6)
  }

  @Test func emptyAndTiny() throws {
    #expect(try AudioBuffer(sampleRate: 8000, channels: [[]]).resampled(to: 16_000).channels == [[]])
    #expect(try AudioBuffer(sampleRate: 8000, channels: [[0.5]]).resampled(to: 16_000).frameCount == 2)
    let resampler = try Resampler(from: 8000, to: 16_000, channels: 1)
    #expect(try resampler.finish() == [[]])
  }

  @Test func aMissingLibraryNamesTheCommand() {
    #expect { try SoxrLibrary(candidates: ["libnothere.so.0"]) } throws: {
      "\($0)".contains("libsoxr is not installed") && "\($0)".contains("install libsoxr")
    }
    #expect { try SndFileLibrary(candidates: ["libnothere.so.0"]) } throws: {
      "\($0)".contains("libsndfile is not installed") && "\($0)".contains("install libsndfile")
    }
  }

  @Test func badRates() {
    #expect(throws: AudioError.self) { try Resampler(from: 0, to: 48_000, channels: 1) }
    #expect(throws: AudioError.self) { try AudioBuffer(sampleRate: 8000, channels: [[0]]).resampled(to: -1) }
  }
}
