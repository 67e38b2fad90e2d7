import Foundation
import Testing

@testable import LegatoAudio

@Suite struct BufferTests {
  @Test func channelConversions() {
    let stereo = AudioBuffer(sampleRate: 8000, channels: [[1, 0], [0, 0.5]])
    #expect(stereo.converted(toChannels: 1).channels == [[0.5, 0.25]])
    #expect(
      stereo.converted(toChannels: 1).converted(toChannels: 2).channels == [[0.5, 0.25], [0.5, 0.25]])
    #expect(stereo.converted(toChannels: 2) == stereo)
    #expect(stereo.converted(toChannels: 3).channels == [[1, 0], [0, 0.5], [0, 0]])
    let quad = AudioBuffer(sampleRate: 8000, channels: [[1], [0.5], [0], [0.25]])
    #expect(quad.converted(toChannels: 2).channels == [[0.5], [0.375]])
    let full = AudioBuffer(sampleRate: 8000, channels: Array(repeating: [1], count: 6)).converted(
      toChannels: 2)
    #expect(full.peak <= 1.0001 && full.peak > 0.99 && full.channels[0] == full.channels[1])
    #expect(AudioBuffer(sampleRate: 8000, channels: []).converted(toChannels: 2).channels == [[], []])
  }

  @Test func figures() {
    let buffer = sine(1000, rate: 48_000, seconds: 1, level: 0.5, channels: 2)
    #expect(abs(buffer.peak - 0.5) < 1e-4 && abs(buffer.rms - 0.35355) < 1e-4 && buffer.duration == 1)
    #expect(buffer.slice(frames: 10..<20).channels[1] == Array(buffer.channels[1][10..<20]))
    let measure = AudioMeasure(buffer)
    #expect(abs(measure.rmsDBFS - -9.03) < 0.01)
    #expect(abs(measure.truePeakDBTP - -6.02) < 0.05)
    #expect(abs(measure.spectralCentroid - 1000) < 5)
    #expect(measure.silenceShare == 0 && measure.silenceAtEnd == 0 && measure.clippedSamples == 0)
    #expect(abs(measure.dcOffset) < 1e-6)
  }

  @Test func silence() {
    var samples = sine(1000, rate: 48_000, seconds: 1).channels[0]
    samples += [Float](repeating: 0.0005, count: 48_000)
    samples[0] = 1
    samples[1] = -1.2
    let measure = AudioMeasure(AudioBuffer(sampleRate: 48_000, channels: [samples]))
    #expect(abs(measure.silenceShare - 0.5) < 0.001)
    #expect(abs(measure.silenceAtEnd - 1) < 0.001)
    #expect(measure.clippedSamples == 2)
    for buffer in [
      AudioBuffer(sampleRate: 48_000, channels: [[]]), AudioBuffer(sampleRate: 48_000, channels: [[0, 0]]),
    ] {
      let none = AudioMeasure(buffer)
      #expect(none.rmsDBFS == -.infinity && none.spectralCentroid == 0 && none.peak == 0)
      #expect(none.silenceAtEnd == buffer.duration)
    }
  }

  @Test func everyErrorSaysWhatAndWhere() {
    let errors: [AudioError] = [
      .fileNotFound(path: "p.wav"), .cannotRead(path: "p.wav", reason: "r"), .empty(path: "p.wav"),
      .truncated(path: "p.wav", expectedBytes: 2, foundBytes: 1), .notAudio(path: "p.wav", reason: "r"),
      .unsupported(path: "p.wav", reason: "r"), .notFinite(path: "p.wav", frame: 1, channel: 0),
      .outOfScale(path: "p.wav", frame: 1, channel: 0, value: 1e20),
      .outOfRange(path: "p.wav", requested: 0..<2, frames: 1), .cannotWrite(path: "p.wav", reason: "r"),
      .diskFull(path: "p.wav"), .outputClosed(path: "p.wav"),
    ]
    for error in errors {
      #expect("\(error)".contains("p.wav"))
      #expect(error.localizedDescription == "\(error)")
    }
  }
}
