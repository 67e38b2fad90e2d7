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
