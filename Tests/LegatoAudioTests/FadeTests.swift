import Testing

@testable import LegatoAudio

@Suite struct FadeTests {
  private let ones = AudioBuffer(
    sampleRate: 48000, channels: Array(repeating: Array(repeating: 1, count: 1000), count: 2))

  @Test(arguments: Fade.Curve.allCases) func endsAreQuietAndTheMiddleIsUntouched(curve: Fade.Curve) {
    let out = Fade.apply(to: ones, fadeIn: 100, fadeOut: 200, curve: curve).channels[1]
    #expect(out[0] < 0.01 && out[999] < 0.01)
    #expect(out[100..<800].allSatisfy { $0 == 1 })
    #expect(zip(out[..<100], out[1..<100]).allSatisfy { $0 < $1 })
    #expect(zip(out[800..<999], out[801...]).allSatisfy { $0 > $1 })
  }

  @Test func equalPowerCrossesAtConstantPower() {
    let fadeIn = Fade.apply(to: ones, fadeIn: 1000, fadeOut: 0, curve: .equalPower).channels[0]
    let fadeOut = Fade.apply(to: ones, fadeIn: 0, fadeOut: 1000, curve: .equalPower).channels[0]
    #expect(zip(fadeIn, fadeOut).allSatisfy { abs($0 * $0 + $1 * $1 - 1) < 1e-5 })
  }

  @Test(arguments: [[1], [64, 3], [1000]]) func streamingWithUnknownEndEqualsOffline(sizes: [Int]) {
    let whole = Fade.apply(to: ones, fadeIn: 100, fadeOut: 200)
    var fade = Fade(fadeIn: 100, fadeOut: 200)
    var out = chunks(ones.channels, sizes: sizes).map { fade.process($0) }
    out.append(fade.finish())
    #expect(joined(out) == whole.channels)

    var known = Fade(fadeIn: 100, fadeOut: 200, totalFrames: 1000)
    #expect(joined(chunks(ones.channels, sizes: sizes).map { known.process($0) }) == whole.channels)
  }

  @Test(arguments: [1, 64, 1000]) func inPlaceItIsTheSame(size: Int) {
    for (total, fadeOut) in [(1000 as Int?, 200), (nil, 0)] {
      var fade = Fade(fadeIn: 100, fadeOut: fadeOut, totalFrames: total)
      let out = chunks(ones.channels, sizes: [size]).map { chunk in
        let memory = PlanarMemory(chunk)
        fade.process(memory.rows, frames: memory.capacity)
        return memory.arrays(0..<memory.capacity)
      }
      #expect(joined(out) == Fade.apply(to: ones, fadeIn: 100, fadeOut: fadeOut).channels)
    }
  }

  @Test func shorterThanTheFade() {
    let short = ones.slice(frames: 0..<50)
    var fade = Fade(fadeIn: 0, fadeOut: 200)
    let out = joined([fade.process(short.channels), fade.finish()])
    #expect(out[0].count == 50)
    #expect(out[0][0] > 0.99 && out[0][49] < 0.01)
    #expect(out == Fade.apply(to: short, fadeIn: 0, fadeOut: 200).channels)
  }

  @Test func nothingAtAll() {
    var fade = Fade(fadeIn: 10, fadeOut: 10)
    #expect(fade.finish().isEmpty)
  }
}
