import Foundation
import LegatoAudio

/// Sound of a piece: stereo, normalised, without silence at its end.
struct PieceRenderer: Sendable {
  let soundFont: URL
  let sampleRate: Int
  private let reverb: Double
  private let library: FluidSynthLibrary

  /// FluidSynth acts on events between blocks of 64 samples.
  private static let block = 64

  /// - Throws: `CorpusError.synthesis` where FluidSynth or a sound font is missing.
  init(_ options: CorpusOptions) throws {
    (sampleRate, reverb) = (options.sampleRate, options.reverb)
    soundFont = try options.findSoundFont()
    library = try FluidSynthLibrary()
  }

  /// Renders `score` in at most `longest` seconds.
  /// - Throws: `CorpusError`, and what `checkpoint`, called about once for every second of audio, throws.
  func render(_ score: Score, longest: Double, checkpoint: () throws -> Void = {}) throws -> AudioBuffer {
    let program = score.instrument.program
    let synth = try Synthesiser(
      library, soundFont.path, program: program, sampleRate: sampleRate, reverb: reverb)
    let rate = Double(sampleRate)
    let musicEnd = Int((score.duration + 0.15) * rate)
    let total = min(Int(longest * rate), musicEnd + Int(2.5 * rate))
    var left = [Float](repeating: 0, count: total)
    var right = left
    var position = 0
    func advance(to goal: Int) throws {
      while position < goal {
        let frames = min(goal - position, sampleRate)
        try synth.render(frames, at: position, left: &left, right: &right)
        position += frames
        try checkpoint()
      }
    }
    synth.play(.control(controller: 91, value: 50))
    for event in score.events {
      let sample = Int(event.time * rate) / Self.block * Self.block
      if sample >= total { break }
      try advance(to: sample)
      synth.play(event.action)
    }
    // Whatever the score holds, nothing sounds on: pedal up, then all notes off.
    try advance(to: min(total, musicEnd / Self.block * Self.block))
    synth.play(.control(controller: 64, value: 0))
    synth.play(.control(controller: 123, value: 0))
    try advance(to: total)
    var audio = AudioBuffer(sampleRate: sampleRate, channels: [left, right])
    normalise(&audio)
    finish(&audio, notBefore: Int(score.duration * rate) - sampleRate)
    return audio
  }

  /// Brings the gated level to −18 dBFS, or as near as a peak of −1 dBFS allows.
  private func normalise(_ audio: inout AudioBuffer) {
    let audible = powers(audio, window: sampleRate * 2 / 5).filter { $0 > 1e-8 }
    guard !audible.isEmpty else { return }
    let mean = audible.reduce(0, +) / Double(audible.count)
    let gated = audible.filter { $0 > mean / 10 }
    let level = gated.reduce(0, +) / Double(gated.count)
    // 10^(−1.8) and 10^(−1/20).
    let gain = Float(
      min((0.015_848_931_924_611_134 / level).squareRoot(), 0.891_250_938 / Double(audio.peak)))
    audio.channels = audio.channels.map { channel in channel.map { $0 * gain } }
  }

  /// Mean square of both channels in successive windows.
  private func powers(_ audio: AudioBuffer, window: Int) -> [Double] {
    let (left, right) = (audio.channels[0], audio.channels[1])
    return stride(from: 0, to: left.count, by: window).map { start in
      let end = min(start + window, left.count)
      var sum: Float = 0
      for i in start..<end { sum += left[i] * left[i] + right[i] * right[i] }
      return Double(sum) / Double(2 * (end - start))
    }
  }

  /// Cuts what is below −50 dBFS at the end and fades the last 0.4 s.
  private func finish(_ audio: inout AudioBuffer, notBefore earliest: Int) {
    let window = sampleRate / 20
    let last = powers(audio, window: window).lastIndex { $0 > 1e-5 } ?? 0
    let count = min(audio.frameCount, max(earliest, (last + 1) * window + sampleRate / 5))
    let fade = min(count, sampleRate * 2 / 5)
    audio = audio.slice(frames: 0..<count)
    for i in 0..<fade {
      // Smoothstep, from 1 at the start of the fade to 0 at the last sample.
      let x = Float(fade - 1 - i) / Float(fade)
      for c in 0..<2 { audio.channels[c][count - fade + i] *= x * x * (3 - 2 * x) }
    }
  }
}
