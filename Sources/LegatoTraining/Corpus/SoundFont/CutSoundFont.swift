import Foundation
import LegatoTensor

/// What a cut sound font holds.
public struct SoundFontSummary: Sendable {
  /// Names that the font gives its presets.
  public let presets: [String]
  public let samples: Int
  /// Bytes of the whole font and of the cut one.
  public let bytesBefore, bytesAfter: Int
}

/// Writes a sound font that holds only some General MIDI instruments of another, and sounds the same on them.
///
/// - Parameters:
///   - source: a SoundFont 2 file.
///   - instruments: names, families or programs, as `legato corpus` takes them; of bank 0.
/// - Throws: `SoundFontError`, `CorpusError.unknownInstrument`, and `SystemCallError` where a file cannot be
///   read or written.
@discardableResult
public func cutSoundFont(_ source: String, to output: String, instruments: [String]) throws
  -> SoundFontSummary
{
  let chosen = try Instrument.select(instruments)
  let from = URL(fileURLWithPath: source).resolvingSymlinksInPath()
  guard from.path != URL(fileURLWithPath: output).resolvingSymlinksInPath().path else {
    throw SoundFontError.sameFile(path: output)
  }
  try DurableFile.check(path: output)
  let data: Data
  do { data = try Data(contentsOf: from, options: .mappedIfSafe) } catch {
    throw SystemCallError("open", path: source, error)
  }
  let font = try SoundFontFile(data, path: source)
  let programs = Set(chosen.map(\.program))
  let cut = try font.keeping(path: source) { program, bank in bank == 0 && programs.contains(program) }
  let missing = chosen.filter { instrument in !cut.presets.contains { $0.program == instrument.program } }
  guard missing.isEmpty else {
    throw SoundFontError.missing(path: source, instruments: missing.map { "\($0.name) (\($0.program))" })
  }
  let bytes = try cut.bytes(path: output)
  try DurableFile.write(Array(bytes), to: output)
  return SoundFontSummary(
    presets: cut.presets.map { SoundFontFile.name($0.header) }, samples: cut.samples.count,
    bytesBefore: data.count, bytesAfter: bytes.count)
}
