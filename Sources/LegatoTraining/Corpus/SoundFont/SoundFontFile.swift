import Foundation

/// A SoundFont 2 file taken apart: presets, the instruments they play, the samples these play.
///
/// Source: SoundFont Technical Specification 2.04, E-mu Systems, 2006, sections 5 to 8.
struct SoundFontFile {
  /// What presets and instruments are: a header, and zones that choose what sounds where.
  struct ZoneList {
    /// As in the file, the zone's index included.
    var header: Data
    var zones: [Zone]
  }

  struct Zone {
    /// Pairs of operator and amount, each 16 bits.
    var generators: [Generator]
    /// Records of ten bytes, which refer to nothing outside the zone.
    var modulators: [Data]
  }

  struct Generator: Equatable {
    var operation, amount: UInt16
  }

  /// The operators whose amount is an index.
  static let playsInstrument: UInt16 = 41
  static let playsSample: UInt16 = 53

  struct Sample {
    var header: Data
    /// In sample frames from the start of the sample data.
    var start: Int { Int(RIFF.number(header, at: 20, bytes: 4)) }
    var end: Int { Int(RIFF.number(header, at: 24, bytes: 4)) }
    var link: Int { Int(RIFF.number(header, at: 42, bytes: 2)) }
    var kind: UInt32 { RIFF.number(header, at: 44, bytes: 2) }
    /// Right, left, or one of several that sound together.
    var isLinked: Bool { [2, 4, 8].contains(kind & 0x7FFF) }
    var isInROM: Bool { kind & 0x8000 != 0 }
    var isCompressed: Bool { kind & 0x10 != 0 }
  }

  /// The INFO list: names, author, licence.
  var information: Data
  var presets: [ZoneList]
  var instruments: [ZoneList]
  var samples: [Sample]
  /// 16-bit frames, and the lowest 8 of 24 bits where the font has them.
  var frames: Data
  var lowBytes: Data?

  /// Sizes of records, from the specification.
  static let presetSize = 38
  static let instrumentSize = 22
  static let sampleSize = 46
  static let modulatorSize = 10

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

  /// The text of a header's first twenty bytes.
  static func name(_ header: Data) -> String {
    String(decoding: header.prefix(20).prefix { $0 != 0 }, as: UTF8.self)
  }
}

/// What can go wrong when a sound font is cut.
public enum SoundFontError: Error, Equatable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  /// The font lacks instruments that are asked for.
  case missing(path: String, instruments: [String])
  case sameFile(path: String)
  case tooLarge(path: String)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason):
      "\(path) is no sound font that can be cut: \(reason). Give a SoundFont 2 file (.sf2); "
        + "apt-get install fluid-soundfont-gm installs one"
    case .missing(let path, let instruments):
      "\(path) has no \(instruments.joined(separator: ", no ")). "
        + "Leave out what it lacks, or use FluidR3: apt-get install fluid-soundfont-gm"
    case .sameFile(let path):
      "\(path) would be overwritten by its own excerpt. Choose another --output"
    case .tooLarge(let path):
      "\(path) would be larger than a sound font can be (4 GB, 65535 records a table). Choose fewer instruments"
    }
  }
}
