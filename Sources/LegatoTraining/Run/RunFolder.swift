import Foundation
import LegatoTensor

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A training run's folder: `recipe.yaml` (resolved), `progress.jsonl`, TensorBoard events,
/// `checkpoints/step-N/` and `samples/`. One process at a time has it open.
public final class RunFolder: Sendable {
  public let path: String
  public let recipe: Recipe
  /// The newest whole checkpoint when the folder was opened; nil for a new run.
  public let latest: Checkpoint?
  /// What the user should know: damaged checkpoints that were passed over, values that changed.
  public let warnings: [String]
  private let lock: FolderLock

  public var progressPath: String { "\(path)/progress.jsonl" }
  public var samplesPath: String { "\(path)/samples" }
  public var checkpointsPath: String { "\(path)/checkpoints" }
  public var recipePath: String { "\(path)/\(Self.recipeName)" }

  static let recipeName = "recipe.yaml"

  /// Key paths (or sections) that may differ on resuming, because they don't change what is learned by a
  /// given step. `steps` does through the schedule, and is allowed so that a run can be prolonged.
  static let changeable: Set<String> = [
    "name", "steps", "time_limit", "threads", "log", "samples", "checkpoint", "evaluate",
    // So that a run whose loss became NaN can go on from its last good checkpoint.
    "optimizer", "precision",
    // So that a run that outgrew its machine's memory can go on with less.
    "batch_size",
    // It comes after what is learned.
    "model.generation.tune",
  ]

  /// Opens a run's folder, new or to be resumed: locks it, compares recipes, removes what interrupted writes
  /// left, and finds the newest whole checkpoint.
  ///
  /// - Throws: `RunError` where the folder is in use, belongs to something else, was trained with another
  ///   recipe, or cannot be written.
  public init(path: String, recipe: Recipe) throws {
    self.path = path
    self.recipe = recipe
    try Self.createFolder(path)
    lock = try FolderLock(folder: path)
    var warnings: [String] = []
    let recipePath = "\(path)/\(Self.recipeName)"
    if FileManager.default.fileExists(atPath: recipePath) {
      try Self.removeLeftovers(path)
      // A run without a checkpoint has learnt nothing yet that another recipe could contradict.
      if try Self.latestCheckpoint(ofRun: path) != nil {
        warnings += try Self.compare(recipe, with: recipePath)
      }
    } else {
      let others = try Self.contents(path).filter { !$0.hasPrefix(".") }
      guard others.isEmpty else {
        throw RunError(
          path, "is no run of Legato, and not empty (it holds \(others.sorted()[0]))",
          "Name a new folder for the run.")
      }
    }
    for folder in ["checkpoints", "samples"] { try Self.createFolder("\(path)/\(folder)") }
    do {
      try DurableFile.write(Array(recipe.yaml.utf8), to: recipePath)
    } catch {
      throw RunError(error)
    }
    let found = try Self.checkpoints(in: "\(path)/checkpoints")
    latest = found.whole.last
    self.warnings = warnings + found.damaged
  }

  /// Removes a run that failed before it had trained anything, so that nothing half-begun stays behind.
  func removeIfUntouched() {
    guard latest == nil, latestStep == nil,
      ((try? FileManager.default.attributesOfItem(atPath: progressPath))?[.size] as? Int ?? 0) == 0
    else { return }
    let ours = [Self.recipeName, FolderLock.name, "checkpoints", "samples", "progress.jsonl"]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    where ours.contains(name) || name.hasPrefix("events.out.tfevents") {
      try? FileManager.default.removeItem(atPath: path + "/" + name)
    }
    // Only where it is empty: rmdir refuses all else.
    _ = rmdir(path)
  }

  /// What changed since the run was recorded, checked against what may change.
  private static func compare(_ recipe: Recipe, with path: String) throws -> [String] {
    let recorded: Recipe
    do {
      recorded = try Recipe(path: path)
    } catch {
      throw RunError(
        path, "the run's own recipe cannot be read: \(error)",
        "If an older Legato made the run, finish it with that one; else train into a new folder.")
    }
    let (old, new) = (recorded.values, recipe.values)
    let differing = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted()
    func line(_ key: String) -> String { "\(key): \(old[key] ?? "(none)") → \(new[key] ?? "(none)")" }
    let forbidden = differing.filter { key in
      !changeable.contains(key) && !changeable.contains(String(key.prefix { $0 != "." }))
    }
    guard forbidden.isEmpty else {
      throw RunError(
        (path as NSString).deletingLastPathComponent,
        "was trained with another recipe (\(forbidden.map(line).joined(separator: "; ")))",
        "Give the same recipe to resume it, or name a new folder to train anew.")
    }
    return differing.filter {
      ["steps", "precision", "batch_size"].contains($0) || $0.hasPrefix("optimizer.")
    }
    .map { "what is learned changes with \(line($0))" }
  }

  static func createFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw RunError(SystemCallError("create the folder", path: path, error))
    }
  }

  static func contents(_ path: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw RunError(SystemCallError("list the folder", path: path, error))
    }
  }
}
