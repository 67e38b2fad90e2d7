import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor
import Testing

@Suite struct MusicMeasureTests {
  private let rate = 48_000
  private let engine = CPUEngine(threads: 1)

  private func measure(seconds: Double = 6, _ sample: (Double) -> Double) throws -> MusicMeasure {
    let samples = (0..<Int(seconds * Double(rate))).map { Float(sample(Double($0) / Double(rate))) }
    return try MusicMeasure(AudioBuffer(sampleRate: rate, channels: [samples, samples]), engine: engine)
  }

  /// A plucked tone with four partials.
  private func pluck(_ frequency: Double, _ age: Double) -> Double {
    guard age >= 0 else { return 0 }
    return (1...4).reduce(0) { $0 + sin(2 * .pi * frequency * Double($1) * age) / Double($1) } * 0.2
      * exp(-6 * age)
  }

  @Test func countsNotes() throws {
    // A scale of quavers: four notes a second.
    let scale = [220, 246.94, 261.63, 293.66, 329.63, 349.23, 392, 440]
    let notes = try measure { time in
      let index = Int(time * 4)
      return (max(0, index - 11)...index).reduce(0.0) { $0 + pluck(scale[$1 % 8], time - Double($1) / 4) }
    }
    #expect(abs(notes.onsetsPerSecond - 4) < 0.5, "\(notes)")
    // One or two notes in a frame; seven pitch classes.
    #expect(notes.pitchSalience > 0.6 && notes.pitchClassEntropy > 1.8, "\(notes)")
    #expect(notes.changePerSecond > 0.3, "\(notes)")
  }

  @Test func knowsADroneANoiseAndSilence() throws {
    let drone = try measure { time in (1...4).reduce(0) { $0 + 0.1 * sin(2 * .pi * 220 * Double($1) * time) }
    }
    #expect(drone.onsetsPerSecond == 0 && drone.changePerSecond < 0.05, "\(drone)")
    #expect(drone.pitchSalience > 0.95, "\(drone)")
    // 220, 440 and 880 Hz are an A, 660 Hz is an E of a quarter of the energy.
    #expect(abs(drone.pitchClassEntropy - 0.81) < 0.1, "\(drone)")
    let white = RandomStream(seed: 1, stream: 0).normal(6 * rate)
    let noise = try measure { Double(white[Int(($0 * Double(rate)).rounded())]) * 0.1 }
    #expect(
      noise.pitchSalience < 0.4 && noise.pitchClassEntropy > 3.3 && noise.onsetsPerSecond < 1, "\(noise)")
    let silence = try measure { _ in 0 }
    #expect(silence.silenceShare == 1 && silence.onsetsPerSecond == 0 && silence.pitchSalience == 0)
    #expect(throws: EvaluationError.self) { try measure(seconds: 1) { _ in 0 } }
  }
}
