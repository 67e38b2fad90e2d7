import Foundation
import LegatoTensor

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension RunFolder {
  private static let prefix = "step-"
  private static let replacedSuffix = ".replaced"

  /// All whole checkpoints, oldest first.
  public func checkpoints() throws -> [Checkpoint] { try Self.checkpoints(in: checkpointsPath).whole }

  /// The newest whole checkpoint of a run that may be in use, for those who only read.
  public static func latestCheckpoint(ofRun path: String) throws -> Checkpoint? {
    let folder = "\(path)/checkpoints"
    guard FileManager.default.fileExists(atPath: folder) else { return nil }
    return try checkpoints(in: folder).whole.last
  }

  /// Writes a checkpoint: into a folder under another name, flushed, `state.json` last, then renamed. Then
  /// prunes to the recipe's `keep` newest; the new one always stays.
  ///
  /// - Parameter write: puts the trainer's files into the folder whose path it gets.
  /// - Throws: `RunError`, or what `write` throws; the older checkpoints then are as they were.
  @discardableResult
  public func saveCheckpoint(_ state: RunState, _ write: (String) throws -> Void) throws -> Checkpoint {
    let final = "\(checkpointsPath)/\(Self.prefix)\(state.step)"
    let partial = "\(checkpointsPath)/.\(Self.prefix)\(state.step)\(DurableFile.temporarySuffix)"
    try Self.remove(partial)
    try Self.createFolder(partial)
    do {
      try write(partial)
      var state = state
      state.files = try Self.flushFiles(in: partial)
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      do throws(SystemCallError) {
        // Encoding plain numbers and texts fails only for a NaN in `seconds`.
        try DurableFile.write(
          Array((try? encoder.encode(state)) ?? Data()), to: "\(partial)/\(Checkpoint.stateName)")
        try Self.replace(final, by: partial)
      } catch {
        throw RunError(error)
      }
    } catch {
      try? Self.remove(partial)
      throw error
    }
    let checkpoint = try Checkpoint(path: final)
    try prune(sparing: checkpoint)
    return checkpoint
  }

  /// Gives `partial` the name `final`. A folder already there steps aside first, so that at every moment one
  /// of the two is whole and findable.
  private static func replace(_ final: String, by partial: String) throws(SystemCallError) {
    let (folder, name) = (
      (final as NSString).deletingLastPathComponent, (final as NSString).lastPathComponent
    )
    let aside = "\(folder)/.\(name)\(replacedSuffix)"
    let replaces = access(final, F_OK) == 0
    if replaces, rename(final, aside) != 0 {
      throw SystemCallError("rename", path: final, code: errno)
    }
    guard rename(partial, final) == 0 else {
      let code = errno
      if replaces { _ = rename(aside, final) }
      throw SystemCallError("rename into place", path: final, code: code)
    }
    try DurableFile.flushFolder(folder)
    if replaces { try? FileManager.default.removeItem(atPath: aside) }
  }

  /// Flushes every file of a folder and gives their names and sizes.
  private static func flushFiles(in folder: String) throws -> [String: Int] {
    var sizes: [String: Int] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() {
      let path = "\(folder)/\(name)"
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw RunError(SystemCallError("open", path: path, code: errno)) }
      defer { close(descriptor) }
      var status = stat()
      guard fstat(descriptor, &status) == 0 else {
        throw RunError(SystemCallError("examine", path: path, code: errno))
      }
      if status.st_mode & S_IFMT == S_IFDIR {
        do { try DurableFile.flushFolder(path) } catch { throw RunError(error) }
        continue
      }
      guard fsync(descriptor) == 0 else {
        throw RunError(SystemCallError("flush to the disk", path: path, code: errno))
      }
      sizes[name] = Int(status.st_size)
    }
    return sizes
  }

  static func checkpoints(in folder: String) throws -> (whole: [Checkpoint], damaged: [String]) {
    var whole: [Checkpoint] = []
    var damaged: [String] = []
    for name in try contents(folder).sorted() {
      guard name.hasPrefix(prefix), let step = Int(name.dropFirst(prefix.count)) else { continue }
      do {
        let checkpoint = try Checkpoint(path: "\(folder)/\(name)")
        guard checkpoint.step == step else {
          throw RunError("\(folder)/\(name)", "holds step \(checkpoint.step)", "Rename or remove it.")
        }
        whole.append(checkpoint)
      } catch let error as RunError {
        damaged.append("passed over \(error.path): \(error.reason)")
      }
    }
    return (whole.sorted { $0.step < $1.step }, damaged)
  }

  private func prune(sparing new: Checkpoint) throws {
    for old in try checkpoints().dropLast(max(1, recipe.checkpoint.keep)) where old != new {
      // Removing takes many steps; under this name, a half-removed one is swept away on the next start.
      let doomed = "\(checkpointsPath)/.\(Self.prefix)\(old.step).old\(DurableFile.temporarySuffix)"
      try Self.remove(doomed)
      guard rename(old.path, doomed) == 0 else {
        throw RunError(SystemCallError("rename", path: old.path, code: errno))
      }
      try Self.remove(doomed)
    }
  }

  /// Removes what interrupted writes left, and gives back its name to a checkpoint that was being replaced.
  static func removeLeftovers(_ run: String) throws {
    for folder in [run, "\(run)/checkpoints", "\(run)/samples"] {
      guard FileManager.default.fileExists(atPath: folder) else { continue }
      for name in try contents(folder) where name.hasPrefix(".") {
        if name.hasSuffix(DurableFile.temporarySuffix) {
          try remove("\(folder)/\(name)")
        } else if name.hasPrefix("." + prefix), name.hasSuffix(replacedSuffix) {
          let original = "\(folder)/\(name.dropFirst().dropLast(replacedSuffix.count))"
          if access(original, F_OK) != 0 {
            _ = rename("\(folder)/\(name)", original)
          } else {
            try remove("\(folder)/\(name)")
          }
        }
      }
    }
  }

  static func remove(_ path: String) throws {
    guard access(path, F_OK) == 0 else { return }
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      throw RunError(SystemCallError("remove", path: path, error))
    }
  }
}
