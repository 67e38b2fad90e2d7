import Foundation

/// Where the package that ships is found, so that `legato generate` needs no `--model`.
enum PackageLocation {
  static let shipped = "Models/legato-first"

  /// The folder a person named, or `LEGATO_MODEL`, or the shipped package: in the working directory or a folder
  /// above it, else beside the executable or a folder above that.
  static func find(_ named: String?) throws -> String {
    if let named { return named }
    if let named = ProcessInfo.processInfo.environment["LEGATO_MODEL"], !named.isEmpty { return named }
    let executable = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent().path
    let starts = [FileManager.default.currentDirectoryPath] + (executable.map { [$0] } ?? [])
    for start in starts {
      if let found = upward(from: start) { return found }
    }
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

  static func upward(from start: String) -> String? {
    var folder = URL(fileURLWithPath: start).standardizedFileURL
    while true {
      let candidate = folder.appendingPathComponent(shipped).path
      if FileManager.default.fileExists(atPath: candidate + "/config.json") { return candidate }
      let parent = folder.deletingLastPathComponent().standardizedFileURL
      if parent.path == folder.path || folder.path == "/" { return nil }
      folder = parent
    }
  }
}
