import Foundation
import LegatoTensor

/// Which recordings there are, and what each is for: a folder, one recording, or a JSONL manifest.
public struct RecordingList: Sendable {
  public enum Split: String, Sendable, Codable, CaseIterable { case train, validation, test }

  public struct Item: Sendable {
    /// Path of the file.
    public var path: String
    /// Path as the folder or the manifest names it: identity of the piece.
    public var name: String
    public var split: Split
    /// Other fields of the manifest's row.
    public var labels: [String: String]
  }

  public internal(set) var items: [Item] = []
  /// Names of recordings that were left out, and of those that they are copies of.
  public internal(set) var copies: [(name: String, original: String)] = []

  static let extensions: Set<String> = [
    "wav", "wave", "flac", "mp3", "ogg", "oga", "opus", "aif", "aiff", "aifc", "caf", "au", "w64", "m4a",
    "aac", "mp4", "wma", "webm",
  ]

  /// Reads a manifest, or lists a folder with everything below it, sorted by name; one recording is a list of one.
  /// - Parameters:
  ///   - validationShare: share of a plain folder's recordings that is held out.
  ///   - keepsCopies: whether recordings of the same bytes are all listed, as where a model's sounds are measured: to say the
  ///     same again is its fault.
  public init(source: String, validationShare: Double = 0.1, keepsCopies: Bool = false) throws {
    var isFolder: ObjCBool = false
    guard !source.isEmpty, FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) else {
      throw TrainingError(
        "\(source.isEmpty ? "no recordings are named" : "\(source): there is no such file or folder")",
        "Give a folder of recordings, one recording, or a JSONL manifest.")
    }
    if !isFolder.boolValue, Self.extensions.contains((source as NSString).pathExtension.lowercased()) {
      items = [Item(path: source, name: (source as NSString).lastPathComponent, split: .train, labels: [:])]
      return
    }
    let manifest = isFolder.boolValue ? source + "/manifest.jsonl" : source
    if FileManager.default.fileExists(atPath: manifest) {
      try read(manifest: manifest)
      if !keepsCopies { leaveOutCopies() }
    } else {
      list(folder: source, validationShare: validationShare)
      if !keepsCopies { leaveOutCopies() }
      holdOneOut()
    }
    guard !items.isEmpty else {
      throw TrainingError(
        "\(source): there are no recordings in it",
        "Give a folder with WAV, FLAC, MP3, Ogg, AIFF or M4A files, or a JSONL manifest.")
    }
  }

  private mutating func read(manifest: String) throws {
    let base = (manifest as NSString).deletingLastPathComponent
    guard let data = FileManager.default.contents(atPath: manifest),
      let text = String(data: data, encoding: .utf8)
    else {
      throw TrainingError("\(manifest): cannot be read as text", "Check the file and its permissions.")
    }
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    where !line.allSatisfy(\.isWhitespace) {
      guard let row = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
        let path = row["path"] as? String
      else {
        throw TrainingError(
          "\(manifest), line \(number + 1): no JSON object with a \"path\"", "Correct the line or remove it.")
      }
      let split = row["split"] as? String ?? "train"
      guard let use = Split(named: split) else {
        throw TrainingError(
          "\(manifest), line \(number + 1): the split '\(split)' is unknown",
          "Write train, validation or test.")
      }
      let labels = row.compactMapValues { $0 is NSNull ? nil : "\($0)" }.filter {
        !["path", "split"].contains($0.key)
      }
      items.append(
        Item(
          path: path.hasPrefix("/") || base.isEmpty ? path : base + "/" + path, name: path, split: use,
          labels: labels))
    }
  }

  private mutating func list(folder: String, validationShare: Double) {
    items = Self.names(in: folder).sorted().map { name in
      // By a hash of the name: a file keeps its split when others come and go.
      let draw = Double(RandomStream(seed: 0, name: name).uniform(1)[0])
      return Item(
        path: folder + "/" + name, name: name, split: draw < validationShare ? .validation : .train,
        labels: [:])
    }
  }

  /// Names below a folder of what may be recordings, through links too; what is hidden is left out.
  ///
  /// A folder that several ways lead to is listed once, by the way without links where there is one: its recordings are no copies, and
  /// keep their names when a link to them comes.
  private static func names(in folder: String) -> [String] {
    let files = FileManager.default
    var (found, seen) = ([String](), Set<String>())
    // As they precede a name: "a/b/".
    var (folders, links) = ([""], [String]())
    while let prefix = folders.popLast() ?? (links.isEmpty ? nil : links.removeFirst()) {
      let own = URL(fileURLWithPath: "\(folder)/\(prefix)").resolvingSymlinksInPath().path
      guard seen.insert(own).inserted, let names = try? files.contentsOfDirectory(atPath: own) else {
        continue
      }
      for name in names.sorted() where !name.hasPrefix(".") {
        let path = "\(own)/\(name)"
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
          let isLink = (try? files.destinationOfSymbolicLink(atPath: path)) != nil
          if isLink { links.append("\(prefix)\(name)/") } else { folders.append("\(prefix)\(name)/") }
        } else if extensions.contains((name as NSString).pathExtension.lowercased()) {
          found.append(prefix + name)
        }
      }
    }
    return found
  }

  /// Of two recordings and more, one is trained on and one is not.
  private mutating func holdOneOut() {
    if items.count > 1, !items.contains(where: { $0.split == .validation }) {
      items[items.count - 1].split = .validation
    }
    if !items.isEmpty, !items.contains(where: { $0.split == .train }) { items[0].split = .train }
  }
}

extension RecordingList.Split {
  /// A split by its usual names.
  init?(named name: String) {
    switch name.lowercased() {
    case "train", "training": self = .train
    case "validation", "valid", "val", "dev", "eval": self = .validation
    // Instruments that were held out of a corpus are for tests.
    case "test", "testing", CorpusSplit.heldOutInstruments.rawValue: self = .test
    default: return nil
    }
  }
}
