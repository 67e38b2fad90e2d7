import Foundation
import Testing

@testable import LegatoAudio

@Suite struct PictureTests {
  @Test(arguments: [0, 1, 2, 300, 70_000]) func deflateRoundTripsNoise(count: Int) throws {
    let bytes = noise(max(count, 1)).channels[0].prefix(count).map {
      UInt8(truncatingIfNeeded: Int($0 * 1000))
    }
    #expect(try inflate(Deflate.zlib(bytes)) == bytes)
  }

  @Test func deflateRoundTripsRepetition() throws {
    let flat = [UInt8](repeating: 7, count: 100_000)
    let packed = Deflate.zlib(flat)
    #expect(packed.count < 1000)
    #expect(try inflate(packed) == flat)
    let periodic = (0..<90_000).map { UInt8($0 % 251) }
    #expect(try inflate(Deflate.zlib(periodic)) == periodic)
    // A repetition from farther back than the window must not be used.
    let far = noise(40_000).channels[0].map { UInt8(truncatingIfNeeded: Int($0 * 5000)) }
    #expect(try inflate(Deflate.zlib(far + far)) == far + far)
  }

  @Test func checksums() {
    #expect(PNG.crc32(Array("123456789".utf8)) == 0xCBF4_3926)
    #expect(Deflate.adler32(Array("Wikipedia".utf8)) == 0x11E6_0398)
  }

  @Test func pngHoldsItsPixels() throws {
    let few = (0..<600).map { UInt32($0 % 7) * 0x20304 }
    #expect(try decodePNG(PNG.encode(width: 30, height: 20, pixels: few)).pixels == few)
    let many = (0..<600).map { UInt32($0) * 0x1234 & 0xFFFFFF }
    let decoded = try decodePNG(PNG.encode(width: 30, height: 20, pixels: many))
    #expect(decoded.pixels == many)
    #expect(decoded.width == 30 && decoded.height == 20)
  }

  @Test func soundPictureIsAValidSmallPNG() throws {
    for buffer in [noise(96_000, channels: 2), sine(440, rate: 44_100, seconds: 3)] {
      let png = AudioPicture().png(buffer, title: "A title")
      #expect(png.count < 1_500_000)
      let decoded = try decodePNG(png)
      #expect(decoded.width == 1200 && decoded.height == 600)
      #expect(Set(decoded.pixels).count > 20)
    }
  }

  @Test func aSineShowsAtItsFrequency() throws {
    let buffer = sine(1000, rate: 48_000, seconds: 2)
    for axis in [Axis(40...24_000, scale: .logarithmic), Axis(0...24_000, scale: .mel)] {
      let image = Spectrogram(buffer, columns: 50, rows: 400, seconds: 2, axis: axis)
      let column = image.levels[25]
      let loudest = try #require(column.indices.max { column[$0] < column[$1] })
      #expect(abs(axis.value((Double(loudest) + 0.5) / 400) - 1000) < 30)
      #expect(abs(column[loudest] - -6) < 1.45)  // the Hann window between two bins
    }
  }

  @Test func oddSoundsMakePicturesToo() throws {
    let empty = AudioBuffer(sampleRate: 48_000, channels: [[], []])
    for buffer in [
      empty, AudioBuffer(sampleRate: 8000, channels: [[0.1]]), sine(100, rate: 8000, seconds: 200),
    ] {
      #expect(try decodePNG(AudioPicture(scale: .mel).png(buffer)).width == 1200)
    }
    let several = AudioPicture(width: 900, height: 300).spectrograms(
      [("one", sine(300, rate: 16_000, seconds: 1)), ("two", noise(10_000)), ("none", empty)])
    #expect(try decodePNG(several).height == 900)
    let side = AudioPicture(width: 900, height: 300)
      .spectrograms([("one", noise(999)), ("two", noise(10_000))], arrangement: .sideBySide)
    #expect(try decodePNG(side).height == 300)
  }

  @Test func everyPrintableCharacterHasALetter() {
    for code in 0x21...0x7E {
      let rows = BitmapFont.rows(Character(UnicodeScalar(UInt8(code))))
      #expect((7...9).contains(rows.count) && rows.contains { $0 != 0 })
      #expect(rows != BitmapFont.rows("\u{1F3B5}"), "\(UnicodeScalar(UInt8(code)))")
    }
  }

  @Test func lightnessOfTheColourMapRises() {
    let luminance = ColorMap.table.map { pixel -> Double in
      [(16, 0.2126), (8, 0.7152), (0, 0.0722)].reduce(0) { sum, part in
        let encoded = Double(pixel >> UInt32(part.0) & 0xFF) / 255
        return sum + part.1 * pow(encoded, 2.2)
      }
    }
    #expect(zip(luminance, luminance.dropFirst()).allSatisfy { $1 > $0 - 0.002 })
    #expect(luminance[0] < 0.01 && luminance[239] > 0.85)
  }

  @Test func ticksAreRound() {
    #expect(Axis(0...10).ticks(5) == [0, 2, 4, 6, 8, 10])
    #expect(
      Axis(40...24_000, scale: .logarithmic).ticks(8) == [
        50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000,
      ])
    #expect(
      AxisLabel.number(0.25) == "0.25" && AxisLabel.number(12_500) == "12.5k" && AxisLabel.number(-3) == "-3")
    #expect(AxisLabel.number(1.5e-5) == "1.5e-5" && AxisLabel.frequency(2500) == "2.5k")
    #expect(AxisLabel.time(150, of: 200) == "2:30" && AxisLabel.time(3725, of: 4000) == "1:02:05")
  }
}
