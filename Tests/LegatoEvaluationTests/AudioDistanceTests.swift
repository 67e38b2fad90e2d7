import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor
import Testing

@Suite struct AudioDistanceTests {
  private let rate = 48_000

  private func tone(_ count: Int, noise: Float = 0) -> AudioBuffer {
    let left = (0..<count).map { Float(0.3 * sin(2 * Double.pi * 440 * Double($0) / 48_000)) }
    let disturbance = RandomStream(seed: 5, stream: 0).normal(count)
    let right = zip(left, disturbance).map { 0.5 * $0 + noise * $1 }
    return AudioBuffer(sampleRate: rate, channels: [zip(left, disturbance).map { $0 + noise * $1 }, right])
  }

  @Test func identicalIsZeroAndNoiseGrows() throws {
    let engine = CPUEngine(threads: 1)
    let clean = tone(30_000)
    let mel = MelDistance(sampleRate: rate)
    let stft = MultiResolutionSTFTDistance()
    #expect(try mel(reference: clean, estimate: clean, engine: engine) == 0)
    #expect(try stft(reference: clean, estimate: clean, engine: engine).total == 0)
    var last = (0.0, 0.0, 0.0)
    for noise in [1e-4, 1e-3, 1e-2, 0.1] as [Float] {
      let disturbed = tone(30_000, noise: noise)
      let parts = try stft(reference: clean, estimate: disturbed, engine: engine)
      let now = (
        try mel(reference: clean, estimate: disturbed, engine: engine), parts.spectralConvergence,
        parts.logMagnitude
      )
      #expect(now.0 > last.0 && now.1 > last.1 && now.2 > last.2)
      last = now
    }
  }

  @Test func gainHasAClosedForm() throws {
    let engine = CPUEngine(threads: 1)
    // Loud noise: every mel band is far above the floor, so that a gain g shifts every logarithm by ln g.
    let noise = RandomStream(seed: 6, stream: 0).normal(20_000).map { $0 * 0.3 }
    let loud = AudioBuffer(sampleRate: rate, channels: [noise])
    let soft = AudioBuffer(sampleRate: rate, channels: [noise.map { $0 * 0.5 }])
    let mel = try MelDistance(sampleRate: rate)(reference: loud, estimate: soft, engine: engine)
    #expect(abs(mel - log(2)) < 1e-3)
    let stft = try MultiResolutionSTFTDistance()(reference: loud, estimate: soft, engine: engine)
    #expect(abs(stft.spectralConvergence - 0.5) < 1e-4)
    #expect(abs(stft.logMagnitude - log(2)) < 1e-2)
  }

  @Test func blocksAreSeamless() throws {
    // Longer than a block of 131,072 samples: the sum over blocks equals the two-part mean over the same frames.
    let engine = CPUEngine(threads: 1)
    let frames = 600
    let count = (frames - 1) * 512 + 2048
    let (clean, noisy) = (tone(count), tone(count, noise: 0.01))
    let mel = MelDistance(sampleRate: rate)
    let whole = try mel(reference: clean, estimate: noisy, engine: engine)
    func part(_ range: Range<Int>) throws -> Double {
      let samples = range.lowerBound * 512..<(range.upperBound - 1) * 512 + 2048
      return try mel(
        reference: clean.slice(frames: samples), estimate: noisy.slice(frames: samples), engine: engine)
    }
    let sum = try part(0..<100) * 100 + part(100..<600) * 500
    #expect(abs(whole - sum / 600) < 1e-6)
  }

  @Test func shortSoundIsPaddedAndMismatchesAreNamed() throws {
    let engine = CPUEngine(threads: 1)
    let mel = MelDistance(sampleRate: rate)
    #expect(try mel(reference: tone(10), estimate: tone(10), engine: engine) == 0)
    #expect(try mel(reference: tone(900), estimate: tone(900, noise: 0.5), engine: engine) > 0.1)
    let mono = AudioBuffer(sampleRate: rate, channels: [[0, 1]])
    #expect(throws: EvaluationError.self) { try mel(reference: mono, estimate: tone(10), engine: engine) }
    #expect(throws: EvaluationError.self) {
      try mel(reference: mono, estimate: AudioBuffer(sampleRate: 44_100, channels: [[0, 1]]), engine: engine)
    }
    #expect(throws: EvaluationError.self) {
      try mel(reference: AudioBuffer(sampleRate: rate, channels: [[]]), estimate: mono, engine: engine)
    }
  }

  @Test func threadsDoNotChangeTheValue() throws {
    let (clean, noisy) = (tone(60_000), tone(60_000, noise: 0.01))
    let mel = MelDistance(sampleRate: rate)
    let one = try mel(reference: clean, estimate: noisy, engine: CPUEngine(threads: 1))
    #expect(try mel(reference: clean, estimate: noisy, engine: CPUEngine(threads: 2)) == one)
  }
}
