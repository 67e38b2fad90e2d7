import Foundation

extension SoundFontFile {
  /// The font with only the presets that `isKept` chooses, the instruments and samples that they reach, and the
  /// samples linked to these. Kept things stay in their order.
  /// - Throws: `SoundFontError.unreadable` where something kept points at nothing.
  func keeping(path: String, _ isKept: (_ program: Int, _ bank: Int) -> Bool) throws -> SoundFontFile {
    func fail(_ reason: String) -> SoundFontError { .unreadable(path: path, reason: reason) }
    var cut = self
    cut.presets = presets.filter { isKept($0.program, $0.bank) }

    let played = Set(cut.presets.flatMap { $0.targets(of: Self.playsInstrument) })
    guard played.allSatisfy(instruments.indices.contains) else {
      throw fail("a preset plays an instrument that it does not hold")
    }
    cut.instruments = played.sorted().map { instruments[$0] }
    cut.presets = cut.presets.map { $0.renumbered(Self.playsInstrument, Self.places(played)) }

    var sounding = Set(cut.instruments.flatMap { $0.targets(of: Self.playsSample) })
    guard sounding.allSatisfy(samples.indices.contains) else {
      throw fail("an instrument plays a sample that it does not hold")
    }
    var unvisited = Array(sounding)
    while let index = unvisited.popLast() {
      let sample = samples[index]
      if sample.isLinked, samples.indices.contains(sample.link), sounding.insert(sample.link).inserted {
        unvisited.append(sample.link)
      }
    }
    let places = Self.places(sounding)
    cut.instruments = cut.instruments.map { $0.renumbered(Self.playsSample, places) }
    try cut.take(samples: sounding.sorted(), of: self, places: places, fail)
    return cut
  }

  /// Where each of these comes to stand.
  private static func places(_ indices: Set<Int>) -> [Int: Int] {
    Dictionary(uniqueKeysWithValues: indices.sorted().enumerated().map { ($1, $0) })
  }

  /// Silent frames that the specification wants after each sample.
  private static let gap = 46

  private mutating func take(
    samples indices: [Int], of font: SoundFontFile, places: [Int: Int], _ fail: (String) -> SoundFontError
  ) throws {
    (samples, frames, lowBytes) = ([], Data(), font.lowBytes.map { _ in Data() })
    // Samples may share their sound.
    var moved: [Range<Int>: Int] = [:]
    for index in indices {
      var sample = font.samples[index]
      let name = Self.name(sample.header)
      if sample.isCompressed { throw fail("its samples are compressed (SF3)") }
      sample.set(UInt32(sample.isLinked ? places[sample.link] ?? 0 : 0), at: 42, bytes: 2)
      if !sample.isInROM {
        guard sample.start <= sample.end, sample.end * 2 <= font.frames.count else {
          throw fail("the sample '\(name)' lies outside the file")
        }
        let range = sample.start..<sample.end
        let place = moved[range] ?? frames.count / 2
        if moved.updateValue(place, forKey: range) == nil {
          let base = font.frames.startIndex
          frames.append(font.frames[base + range.lowerBound * 2..<base + range.upperBound * 2])
          frames.append(Data(count: Self.gap * 2))
          if let low = font.lowBytes {
            lowBytes?.append(low[low.startIndex + range.lowerBound..<low.startIndex + range.upperBound])
            lowBytes?.append(Data(count: Self.gap))
          }
        }
        // Start, end, and the loop, which may lie anywhere: all move by as much.
        let offset = UInt32(truncatingIfNeeded: place - range.lowerBound)
        for field in [20, 24, 28, 32] {
          sample.set(RIFF.number(sample.header, at: field, bytes: 4) &+ offset, at: field, bytes: 4)
        }
      }
      samples.append(sample)
    }
  }
}

extension SoundFontFile.ZoneList {
  /// Of a preset.
  var program: Int { Int(RIFF.number(header, at: 20, bytes: 2)) }
  var bank: Int { Int(RIFF.number(header, at: 22, bytes: 2)) }

  fileprivate func targets(of operation: UInt16) -> [Int] {
    zones.flatMap { zone in
      zone.generators.filter { $0.operation == operation }.map { Int($0.amount) }
    }
  }

  fileprivate func renumbered(_ operation: UInt16, _ places: [Int: Int]) -> Self {
    var list = self
    for zone in zones.indices {
      for (i, generator) in zones[zone].generators.enumerated() where generator.operation == operation {
        list.zones[zone].generators[i].amount = UInt16(places[Int(generator.amount)] ?? 0)
      }
    }
    return list
  }
}

extension SoundFontFile.Sample {
  fileprivate mutating func set(_ number: UInt32, at offset: Int, bytes: Int) {
    let start = header.startIndex + offset
    header.replaceSubrange(start..<start + bytes, with: RIFF.bytes(number, count: bytes))
  }
}
