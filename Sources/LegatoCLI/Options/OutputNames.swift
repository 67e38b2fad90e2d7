import ArgumentParser
import Foundation
import LegatoTensor

/// Names of the files that a command writes.
enum OutputNames {
  static let standardOutput = "-"

  /// `piece.wav` as the `index`-th of `count`: `piece-1.wav`; a single file keeps its name.
  static func numbered(_ path: String, _ index: Int, of count: Int) -> String {
    guard count > 1 else { return path }
    let name = path as NSString
    let ending = name.pathExtension
    let stem = name.deletingPathExtension
    return ending.isEmpty ? "\(path)-\(index)" : "\(stem)-\(index).\(ending)"
  }

  /// WAV is what is written: another ending would make a file that lies.
  static func checkWAV(_ path: String) throws {
    let ending = (path as NSString).pathExtension.lowercased()
    guard ["mp3", "flac", "ogg", "opus", "m4a", "aac", "aif", "aiff", "png", "safetensors"].contains(ending)
    else {
      return
    }
    throw ValidationError(
      "--output \(path): Legato writes WAV; name it .wav, or convert while it is made: "
        + "legato generate --output - | ffmpeg -i - \(path)")
  }

  /// Sound as text on a screen helps nobody.
  static func checkPipe(_ path: String) throws {
    guard path == standardOutput, isatty(STDOUT_FILENO) == 1 else { return }
    throw ValidationError(
      "--output - writes sound to standard output; pipe it: ... --output - | ffplay -nodisp -i -")
  }

  /// Fails before hours are spent on something that cannot be written in the end.
  static func checkFolder(of path: String) throws { try DurableFile.check(path: path) }
}
