/// Sound of a piece: stereo, normalised, without silence at its end.
struct PieceRenderer: Sendable {
  let library: FluidSynthLibrary
  let soundFont: String
  let sampleRate: Int
  /// 0 = dry, 1 = very wet.
  let reverb: Double

  struct Audio: Sendable {
    var left: [Float]
    var right: [Float]
  }

  /// FluidSynth acts on events between blocks of 64 samples.
  private static let block = 64

  /// Renders `score` in at most `longest` seconds.
  /// - Throws: `CorpusError` for fonts and synthesisers that fail, and what `checkpoint`, called about once
  ///   for every second of audio, throws.
  func render(_ score: Score, longest: Double, checkpoint: () throws -> Void = {}) throws -> Audio {
    let synth = try FluidSynthLibrary.Synthesiser(
      library, soundFont: soundFont, program: score.instrument.program, sampleRate: sampleRate, reverb: reverb
    )
    let rate = Double(sampleRate)
    let musicEnd = Int((score.duration + 0.15) * rate)
    let total = min(Int(longest * rate), musicEnd + Int(2.5 * rate))
    var left = [Float](repeating: 0, count: total)
    var right = left
    try left.withUnsafeMutableBufferPointer { left in
      try right.withUnsafeMutableBufferPointer { right in
        var position = 0
        func advance(to goal: Int) throws {
          while position < goal {
            let frames = min(goal - position, sampleRate)
            try synth.render(frames, at: position, left: left, right: right)
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
      }
    }
    var audio = Audio(left: left, right: right)
    normalise(&audio)
    finish(&audio, notBefore: Int(score.duration * rate) - sampleRate)
    return audio
  }

  // MARK: - Level

  /// Brings the gated level to −18 dBFS, or as near as a peak of −1 dBFS allows.
  private func normalise(_ audio: inout Audio) {
    let powers = self.powers(audio, seconds: 0.4)
    let audible = powers.filter { $0 > 1e-8 }
    guard !audible.isEmpty else { return }
    let mean = audible.reduce(0, +) / Double(audible.count)
    let gated = audible.filter { $0 > mean / 10 }
    let level = gated.reduce(0, +) / Double(gated.count)
    var peak: Float = 0
    for x in audio.left { peak = max(peak, abs(x)) }
    for x in audio.right { peak = max(peak, abs(x)) }
    // 10^(−1.8) and 10^(−1/20).
    let gain = Float(min((0.015_848_931_924_611_134 / level).squareRoot(), 0.891_250_938 / Double(peak)))
    for i in audio.left.indices { audio.left[i] *= gain }
    for i in audio.right.indices { audio.right[i] *= gain }
  }

  /// Mean square of both channels in successive windows.
  private func powers(_ audio: Audio, seconds: Double) -> [Double] {
    let window = max(1, Int(seconds * Double(sampleRate)))
    return stride(from: 0, to: audio.left.count, by: window).map { start in
      let end = min(start + window, audio.left.count)
      var sum: Float = 0
      for i in start..<end { sum += audio.left[i] * audio.left[i] + audio.right[i] * audio.right[i] }
      return Double(sum) / Double(2 * (end - start))
    }
  }

  /// Cuts what is below −50 dBFS at the end and fades the last 0.4 s.
  private func finish(_ audio: inout Audio, notBefore earliest: Int) {
    let window = sampleRate / 20
    let powers = self.powers(audio, seconds: 0.05)
    let last = powers.lastIndex { $0 > 1e-5 } ?? 0
    let count = min(audio.left.count, max(earliest, (last + 1) * window + sampleRate / 5))
    audio.left.removeLast(audio.left.count - count)
    audio.right.removeLast(audio.right.count - count)
    let fade = min(count, sampleRate * 2 / 5)
    for i in 0..<fade {
      // Smoothstep, from 1 at the start of the fade to 0 at the last sample.
      let x = Float(fade - 1 - i) / Float(fade)
      let gain = x * x * (3 - 2 * x)
      audio.left[count - fade + i] *= gain
      audio.right[count - fade + i] *= gain
    }
  }
}
