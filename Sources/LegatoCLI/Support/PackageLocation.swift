import Foundation
import LegatoModels

/// Where the package that ships is found, so that `legato generate` needs no `--model`.
enum PackageLocation {
  static let shipped = "Models/legato-first"

  /// The folder a person named, or `LEGATO_MODEL`, or the shipped package: in the working directory or a folder
  /// above it, else beside the executable or a folder above that.
  static func find(_ named: String?) throws -> String {
    if let named { return named }
    if let named = ProcessInfo.processInfo.environment["LEGATO_MODEL"], !named.isEmpty { return named }
    if let found = found(shipped) { return found }
    throw CommandError(
      "no model package found: \(shipped) is neither in this folder nor above it or above the program. "
        + "Name one with --model or the variable LEGATO_MODEL")
  }

  /// The codec's folder of `--codec`: a codec package, a model package that holds one, or the shipped one.
  static func findCodec(_ named: String?) throws -> String {
    let path = try find(named)
    let inside = path + "/codec"
    return FileManager.default.fileExists(atPath: inside + "/config.json") ? inside : path
  }

  /// The classifier that ships, found as the model is.
  static func findClassifier() throws -> String {
    if let found = found(NoteClassifierPackage.shipped) { return found }
    throw CommandError(
      "\(NoteClassifierPackage.shipped) is neither in this folder nor above it or above the program; "
        + "copy it there from Legato's repository")
  }

  private static func found(_ package: String) -> String? {
    let executable = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent().path
    let starts = [FileManager.default.currentDirectoryPath] + (executable.map { [$0] } ?? [])
    return starts.lazy.compactMap { upward(from: $0, to: package) }.first
  }

  static func upward(from start: String, to package: String = shipped) -> String? {
    var folder = URL(fileURLWithPath: start).standardizedFileURL
    while true {
      let candidate = folder.appendingPathComponent(package).path
      if FileManager.default.fileExists(atPath: candidate + "/config.json") { return candidate }
      let parent = folder.deletingLastPathComponent().standardizedFileURL
      if parent.path == folder.path || folder.path == "/" { return nil }
      folder = parent
    }
  }
}
