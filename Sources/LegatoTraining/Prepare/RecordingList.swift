import Foundation
import LegatoTensor

/// A recording to be encoded.
struct Recording: Sendable, Equatable {
  var identity: RecordingIdentity
  /// Where to open it.
  var file: String
  var id: String
  /// As the manifest says.
  var split: LatentSplit?
  var labels: [String: String] = [:]
}

/// The recordings of a folder or a manifest, sorted by path.
struct RecordingList: Sendable, Equatable {
  var source: String
  var recordings: [Recording]

  /// Endings of the files that a folder's scan takes for recordings.
  static let extensions: Set<String> = [
    "wav", "wave", "w64", "rf64", "bwf", "flac", "ogg", "oga", "opus", "mp3", "mp2", "aif", "aiff", "aifc", "caf",
    "au", "snd", "m4a", "m4b", "mp4", "aac", "wma", "wv", "ape", "mka", "webm", "amr", "ac3", "dsf",
  ]

  /// - Parameter excluding: a folder that is not searched: the output may lie inside the input.
  init(input: String, excluding: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: input, isDirectory: &isFolder) else {
      throw PrepareError(.noRecordings, input, "there is no such file or folder", "Give a folder of recordings or a manifest.")
    }
    let manifest = input + "/" + CorpusNames.manifest
    if !isFolder.boolValue {
      self = try Self.manifest(input)
    } else if FileManager.default.fileExists(atPath: manifest) {
      self = try Self.manifest(manifest)
    } else {
      self = try Self.folder(input, excluding: excluding)
    }
    recordings.sort { $0.identity.path.utf8.lexicographicallyPrecedes($1.identity.path.utf8) }
  }

  init(source: String, recordings: [Recording]) {
    self.source = source
    self.recordings = recordings
  }

  private static func folder(_ folder: String, excluding: String) throws -> RecordingList {
    let root = URL(fileURLWithPath: folder, isDirectory: true).resolvingSymlinksInPath().path
    let left = URL(fileURLWithPath: excluding, isDirectory: true).resolvingSymlinksInPath().path
    guard let walk = FileManager.default.enumerator(atPath: root) else {
      throw PrepareError(.noRecordings, folder, "the folder cannot be read", "Check its permissions.")
    }
    var found: [Recording] = []
    for case let path as String in walk {
      let file = root + "/" + path
      let name = path.split(separator: "/").last ?? ""
      if file == left || name.hasPrefix(".") {
        walk.skipDescendants()
        continue
      }
      guard extensions.contains((path as NSString).pathExtension.lowercased()), let identity = identity(path, file: file)
      else { continue }
      found.append(Recording(identity: identity, file: file, id: path))
    }
    guard !found.isEmpty else {
      throw PrepareError(
        .noRecordings, folder, "there is no recording in this folder or below",
        "Give a folder with WAV, FLAC, OGG, MP3, AIFF or M4A files, or a manifest.")
    }
    return RecordingList(source: root, recordings: found)
  }

  /// Size and time of a file, following links; nil for what is no file.
  static func identity(_ path: String, file: String) -> RecordingIdentity? {
    let real = URL(fileURLWithPath: file).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: real),
      attributes[.type] as? FileAttributeType == .typeRegular,
      let size = (attributes[.size] as? NSNumber)?.intValue, let date = attributes[.modificationDate] as? Date
    else { return nil }
    return RecordingIdentity(path: path, size: size, modified: Int((date.timeIntervalSince1970 * 1e6).rounded()))
  }
}

/// File names that preparation shares with the corpus.
enum CorpusNames {
  static let manifest = "manifest.jsonl"
}
