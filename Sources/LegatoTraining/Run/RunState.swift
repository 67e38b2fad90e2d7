import Foundation

/// A checkpoint's `state.json`: written last, so its presence says that the checkpoint is whole.
public struct RunState: Codable, Sendable, Equatable {
  public static let currentFormatVersion = 1

  public var formatVersion = RunState.currentFormatVersion
  /// Updates done.
  public var step: Int
  /// Seconds trained so far, over all sessions.
  public var seconds: Double
  public var machine: MachineRecord
  /// What else the trainer must remember, as texts.
  public var extra: [String: String]
  /// Of the weights in `best.safetensors`; nil where a run keeps none.
  public var best: BestEvaluation?
  /// Names and sizes of the checkpoint's files, filled in by `RunFolder`.
  public internal(set) var files: [String: Int] = [:]

  enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case step, seconds, machine, extra, best, files
  }

  public init(
    step: Int, seconds: Double, machine: MachineRecord, extra: [String: String] = [:],
    best: BestEvaluation? = nil
  ) {
    self.step = step
    self.seconds = seconds
    self.machine = machine
    self.extra = extra
    self.best = best
  }
}

/// The lowest held-out loss of a run so far.
public struct BestEvaluation: Codable, Sendable, Equatable {
  public var step: Int
  public var loss: Double
  /// All that was measured at that step.
  public var losses: [String: Double]
  /// Measurements since then.
  public var waited = 0
  /// What was measured on: losses on other data cannot be compared.
  public var measure: String
}

/// A whole checkpoint on the disk.
public struct Checkpoint: Sendable, Equatable {
  public var path: String
  public var state: RunState

  public var step: Int { state.step }

  /// The path of one of its files.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  static let stateName = "state.json"

  /// Reads and checks a checkpoint folder: `state.json` is there and all files have their sizes.
  ///
  /// - Throws: `RunError` that says what is missing.
  public init(path: String) throws {
    let remedy = "Resume from an older checkpoint, or train again."
    guard let data = FileManager.default.contents(atPath: "\(path)/\(Self.stateName)") else {
      throw RunError(path, "is not a whole checkpoint: it has no \(Self.stateName)", remedy)
    }
    guard
      let version = (try? JSONSerialization.jsonObject(with: data) as? [String: Any])?["format_version"]
        as? Int
    else { throw RunError(path, "its \(Self.stateName) cannot be understood", remedy) }
    guard version <= RunState.currentFormatVersion else {
      throw RunError(
        path, "was written by a newer Legato (checkpoint format \(version))", "Update Legato, then resume.")
    }
    guard let state = try? JSONDecoder().decode(RunState.self, from: data), state.step >= 0 else {
      throw RunError(path, "its \(Self.stateName) cannot be understood", remedy)
    }
    for (name, size) in state.files.sorted(by: { $0.key < $1.key }) {
      let found = try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.size] as? Int
      guard found == size else {
        let what = found.map { "has \($0) bytes instead of \(size)" } ?? "is missing"
        throw RunError(path, "its \(name) \(what)", remedy)
      }
    }
    self.path = path
    self.state = state
  }
}
