import LegatoTensor

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Reading and writing the small files of a package.
enum PackageFiles {
  private struct Header: Decodable {
    var formatVersion: Int?
    var kind: String?

    enum CodingKeys: String, CodingKey {
      case formatVersion = "format_version"
      case kind
    }
  }

  /// Reads `config.json`, checking version and kind before anything else.
  static func configuration<Configuration: Decodable>(in path: String, kind: String) throws -> Configuration {
    let file = path + "/config.json"
    guard FileManager.default.fileExists(atPath: path) else {
      throw PackageError(
        path: path, reason: "there is no such folder",
        remedy: "give the folder of a \(kind) package, the one with config.json in it")
    }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw PackageError(
        path: file, reason: "the file is missing or cannot be read",
        remedy: "give the folder of a \(kind) package, the one with config.json in it")
    }
    let header: Header
    do { header = try JSONDecoder().decode(Header.self, from: data) } catch let error as DecodingError {
      throw PackageError(damaged: file, reason(error))
    }
    if let version = header.formatVersion, version > ModelPackage.formatVersion {
      throw PackageError(
        path: file,
        reason: "format_version \(version) is newer than this Legato reads (\(ModelPackage.formatVersion))",
        remedy: "update Legato")
    }
    if let version = header.formatVersion, version < 1 {
      throw PackageError(damaged: file, "format_version is \(version); versions begin at 1")
    }
    guard header.kind == kind else {
      throw PackageError(
        path: file, reason: "this is a '\(header.kind ?? "?")', not a \(kind)",
        remedy: "give the folder of a \(kind) package")
    }
    do { return try JSONDecoder().decode(Configuration.self, from: data) } catch let error as DecodingError {
      throw PackageError(damaged: file, reason(error))
    }
  }

  /// The weights of a package. They are never there without the rest of it, hence the remedy.
  static func weights(_ file: String) throws -> FileWeights {
    guard FileManager.default.fileExists(atPath: file) else {
      throw PackageError(
        path: file, reason: "the file is missing",
        remedy: "copy or download the package again, whole: the folder with everything in it")
    }
    return try FileWeights(path: file)
  }

  private static func reason(_ error: DecodingError) -> String {
    func name(_ path: [any CodingKey]) -> String {
      path.isEmpty ? "the file" : path.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context): return "the key '\(name(context.codingPath + [key]))' is missing"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return "the value of '\(name(context.codingPath))' is no \(type)"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "this is not valid JSON" : "the value of '\(name(context.codingPath))' is damaged"
    @unknown default: return "the file does not fit"
    }
  }

  static func write(_ value: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try write(data: try encoder.encode(value) + Data([0x0a]), to: path)
  }

  static func write(text: String, to path: String) throws { try write(data: Data(text.utf8), to: path) }

  private static func write(data: Data, to path: String) throws {
    try DurableFile.write(Array(data), to: path)
  }

  /// Fills a folder aside, then puts it in the place of `path`.
  static func writeFolder(_ path: String, fill: (String) throws -> Void) throws {
    let manager = FileManager.default
    let aside = path + ".partial"
    do {
      try? manager.removeItem(atPath: aside)
      try manager.createDirectory(atPath: aside, withIntermediateDirectories: true)
    } catch {
      throw PackageError(
        path: path, reason: "the folder cannot be created", remedy: "choose a place that you may write to")
    }
    do {
      try fill(aside)
      let old = path + ".old"
      if manager.fileExists(atPath: path) {
        try? manager.removeItem(atPath: old)
        try manager.moveItem(atPath: path, toPath: old)
      }
      do { try manager.moveItem(atPath: aside, toPath: path) } catch {
        try? manager.moveItem(atPath: old, toPath: path)
        throw error
      }
      try? manager.removeItem(atPath: old)
    } catch {
      try? manager.removeItem(atPath: aside)
      throw error
    }
  }
}
