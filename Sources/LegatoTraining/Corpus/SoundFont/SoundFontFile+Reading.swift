import Foundation

extension SoundFontFile {
  /// - Throws: `SoundFontError.unreadable`.
  init(_ data: Data, path: String) throws {
    func fail(_ reason: String) -> SoundFontError { .unreadable(path: path, reason: reason) }
    let isFont =
      data.count >= 12 && data.prefix(4) == Data("RIFF".utf8)
      && data.dropFirst(8).prefix(4) == Data("sfbk".utf8)
    guard isFont else { throw fail("it is no RIFF file of type sfbk") }
    let size = Int(RIFF.number(data, at: 4, bytes: 4))
    guard size >= 4, size <= data.count - 8, let lists = RIFF.chunks(data.dropFirst(12).prefix(size - 4))
    else {
      throw fail("it is cut short")
    }
    func list(_ form: String) throws -> Data {
      let found = lists.first { $0.name == "LIST" && $0.content.prefix(4) == Data(form.utf8) }
      guard let found else { throw fail("it has no list '\(form)'") }
      return found.content.dropFirst(4)
    }
    func parts(_ form: String) throws -> [String: Data] {
      guard let chunks = RIFF.chunks(try list(form)) else { throw fail("its list '\(form)' is damaged") }
      return Dictionary(chunks.map { ($0.name, $0.content) }, uniquingKeysWith: { first, _ in first })
    }
    information = try list("INFO")
    let sound = try parts("sdta")
    guard let smpl = sound["smpl"] else { throw fail("it has no samples") }
    frames = smpl
    lowBytes = sound["sm24"].flatMap { $0.count >= smpl.count / 2 ? $0 : nil }

    let tables = try parts("pdta")
    func records(_ name: String, size: Int) throws -> [Data] {
      guard let table = tables[name], table.count % size == 0, table.count >= size else {
        throw fail("its table '\(name)' is missing or damaged")
      }
      return stride(from: table.startIndex, to: table.endIndex, by: size).map { table[$0..<$0 + size] }
    }
    func zoneLists(
      _ names: (list: String, bags: String, generators: String, modulators: String), size: Int, bagAt: Int
    ) throws -> [ZoneList] {
      let headers = try records(names.list, size: size)
      let bags = try records(names.bags, size: 4)
      let generators = try records(names.generators, size: 4).map {
        Generator(
          operation: UInt16(RIFF.number($0, at: 0, bytes: 2)),
          amount: UInt16(RIFF.number($0, at: 2, bytes: 2)))
      }
      let modulators = try records(names.modulators, size: Self.modulatorSize)
      func range(_ table: [Data], _ index: Int, at offset: Int, within count: Int, _ name: String) throws
        -> Range<Int>
      {
        let first = Int(RIFF.number(table[index], at: offset, bytes: 2))
        let last = Int(RIFF.number(table[index + 1], at: offset, bytes: 2))
        guard first <= last, last < count else {
          throw fail("record \(index) of its table '\(name)' points outside the file")
        }
        return first..<last
      }
      // The last record of each table only ends the one before.
      return try (0..<headers.count - 1).map { i in
        let zones = try range(headers, i, at: bagAt, within: bags.count, names.list)
        return ZoneList(
          header: headers[i],
          zones: try zones.map { bag in
            Zone(
              generators: Array(
                generators[try range(bags, bag, at: 0, within: generators.count, names.bags)]),
              modulators: Array(
                modulators[try range(bags, bag, at: 2, within: modulators.count, names.bags)]))
          })
      }
    }
    presets = try zoneLists(("phdr", "pbag", "pgen", "pmod"), size: Self.presetSize, bagAt: 24)
    instruments = try zoneLists(("inst", "ibag", "igen", "imod"), size: Self.instrumentSize, bagAt: 20)
    samples = try records("shdr", size: Self.sampleSize).dropLast().map { Sample(header: $0) }
  }
}
