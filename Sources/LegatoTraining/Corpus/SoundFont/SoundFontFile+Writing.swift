import Foundation

extension SoundFontFile {
  /// The file's bytes.
  /// - Throws: `SoundFontError.tooLarge`.
  func bytes(path: String) throws -> Data {
    var sound = RIFF.chunk("smpl", frames)
    if let lowBytes { sound.append(RIFF.chunk("sm24", lowBytes)) }
    var tables = Data()
    func add(_ name: String, _ records: [Data]) throws {
      guard records.count <= 65_536 else { throw SoundFontError.tooLarge(path: path) }
      tables.append(RIFF.chunk(name, records.reduce(into: Data()) { $0.append($1) }))
    }
    func add(
      _ lists: [ZoneList], _ names: (list: String, bags: String, modulators: String, generators: String),
      end: String, size: Int, bagAt: Int
    ) throws {
      var (headers, bags, modulators, generators): ([Data], [Data], [Data], [Data]) = ([], [], [], [])
      func index(_ count: Int) throws -> Data {
        guard count <= 65_535 else { throw SoundFontError.tooLarge(path: path) }
        return RIFF.bytes(UInt32(count), count: 2)
      }
      func place(_ header: Data) throws -> Data {
        header.prefix(bagAt) + (try index(bags.count)) + header.dropFirst(bagAt + 2)
      }
      func bag() throws -> Data { try index(generators.count) + (try index(modulators.count)) }
      for list in lists {
        headers.append(try place(list.header))
        for zone in list.zones {
          bags.append(try bag())
          generators += zone.generators.map {
            RIFF.bytes(UInt32($0.operation), count: 2) + RIFF.bytes(UInt32($0.amount), count: 2)
          }
          modulators += zone.modulators
        }
      }
      headers.append(try place(Self.header(end, size: size)))
      bags.append(try bag())
      try add(names.list, headers)
      try add(names.bags, bags)
      try add(names.modulators, modulators + [Data(count: Self.modulatorSize)])
      try add(names.generators, generators + [Data(count: 4)])
    }
    try add(
      presets, ("phdr", "pbag", "pmod", "pgen"), end: "EOP", size: Self.presetSize, bagAt: 24)
    try add(
      instruments, ("inst", "ibag", "imod", "igen"), end: "EOI", size: Self.instrumentSize, bagAt: 20)
    try add("shdr", samples.map(\.header) + [Self.header("EOS", size: Self.sampleSize)])

    guard information.count + sound.count + tables.count < Int(UInt32.max) - 64 else {
      throw SoundFontError.tooLarge(path: path)
    }
    var content = RIFF.chunk("LIST", form: "INFO", information)
    content.append(RIFF.chunk("LIST", form: "sdta", sound))
    content.append(RIFF.chunk("LIST", form: "pdta", tables))
    return RIFF.chunk("RIFF", form: "sfbk", content)
  }

  private static func header(_ name: String, size: Int) -> Data {
    Data(name.utf8) + Data(count: size - name.utf8.count)
  }
}
