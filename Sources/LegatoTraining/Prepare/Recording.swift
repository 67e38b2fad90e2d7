import Foundation

/// A recording to be encoded.
struct Recording: Sendable, Equatable {
  var identity: RecordingIdentity
  /// Where to open it.
  var file: String
  var id: String
  var split: LatentFolder.Split
  var labels: [String: String] = [:]
}

/// The recordings of a folder or a manifest, sorted by path.
struct RecordingSet: Sendable, Equatable {
  /// The folder that paths start at.
  var source: String
  var recordings: [Recording] = []
  /// What was left out because it is there twice.
  var note: String?

  /// - Throws: ``TrainingError`` without recordings; ``PrepareError/Kind/badManifest`` for names that occur twice.
  init(input: String, validationShare: Double) throws {
    let list = try RecordingList(source: input, validationShare: validationShare)
    note = list.noteOfCopies
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: input, isDirectory: &isFolder)
    let folder = URL(fileURLWithPath: input, isDirectory: isFolder.boolValue)
    source = (isFolder.boolValue ? folder : folder.deletingLastPathComponent()).standardizedFileURL.path
    var (names, ids) = (Set<String>(), Set<String>())
    for item in list.items {
      func bad(_ reason: String) -> PrepareError {
        PrepareError(
          .badManifest, input, reason,
          "Every recording needs a path and an id of its own; correct the manifest.")
      }
      guard names.insert(item.name).inserted else { throw bad("the path '\(item.name)' occurs twice") }
      guard !item.name.isEmpty, item.name != "__metadata__", !item.path.unicodeScalars.contains("\0") else {
        throw bad("the path '\(item.name)' cannot be used")
      }
      let id = item.labels["id"] ?? item.name
      guard ids.insert(id).inserted else { throw bad("the id '\(id)' occurs twice") }
      // A file that is not there is found out, and skipped, like every other that cannot be read.
      let identity =
        RecordingIdentity(of: item.path, named: item.name) ?? .init(path: item.name, size: -1, modified: 0)
      recordings.append(
        Recording(
          identity: identity, file: item.path, id: id, split: item.split,
          labels: item.labels.filter { $0.key != "id" }))
    }
    recordings.sort { $0.identity.path.utf8.lexicographicallyPrecedes($1.identity.path.utf8) }
  }
}

/// What tells whether a source is still the one that was encoded.
struct RecordingIdentity: Codable, Sendable, Hashable {
  /// As the index names it.
  var path: String
  /// In bytes.
  var size: Int
  /// Modification time in microseconds since 1970.
  var modified: Int

  init(path: String, size: Int, modified: Int) {
    self.path = path
    self.size = size
    self.modified = modified
  }

  /// Size and time of a file, following links; nil for what is no file.
  init?(of file: String, named path: String) {
    let real = URL(fileURLWithPath: file).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: real),
      attributes[.type] as? FileAttributeType == .typeRegular,
      let size = (attributes[.size] as? NSNumber)?.intValue, let date = attributes[.modificationDate] as? Date
    else { return nil }
    self.init(path: path, size: size, modified: Int((date.timeIntervalSince1970 * 1e6).rounded()))
  }
}
