import Foundation
import LegatoTensor
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The record of a run: one JSON object a line, each handed to the system as it is made, so that a killed
/// process loses none.
public final class ProgressLog: Sendable {
  public let path: String
  /// Lines dropped on opening because they came after the resumed step or were torn.
  public let droppedLines: Int
  private let file: Mutex<FileHandle>

  /// Opens or creates the log.
  ///
  /// - Parameter step: where the run goes on; records of later steps, and a torn last line, are dropped
  ///   (the shorter log is written aside and renamed). 0 where a run begins
  ///   anew because no checkpoint was written yet. Nil keeps all whole lines.
  /// - Throws: `RunError` where the file cannot be read or written.
  public init(path: String, resumingAfter step: Int? = nil) throws {
    self.path = path
    if FileManager.default.fileExists(atPath: path) {
      guard let data = FileManager.default.contents(atPath: path) else {
        throw RunError(path, "cannot be read", "Check its permissions.")
      }
      let (kept, dropped) = Self.lines(of: Array(data), upTo: step)
      droppedLines = dropped
      if dropped > 0 {
        do { try DurableFile.write(kept, to: path) } catch { throw RunError(error) }
      }
    } else {
      droppedLines = 0
    }
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw RunError(SystemCallError("open", path: path, code: errno)) }
    file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
  }

  /// The lines that stay. A line counts as whole if it ends and is a JSON object.
  private static func lines(of bytes: [UInt8], upTo step: Int?) -> (kept: [UInt8], dropped: Int) {
    var kept: [UInt8] = []
    var dropped = 0
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let end = rest.firstIndex(of: 0x0A) else {
        dropped += 1
        break
      }
      let line = rest[...end]
      rest = rest[(end + 1)...]
      let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
      if let object, step == nil || (object["step"] as? Int).map({ $0 <= step ?? .max }) ?? true {
        kept += line
      } else {
        dropped += 1
      }
    }
    return (kept, dropped)
  }

  /// Appends a record. Keys are sorted after `step` and `time` (seconds since 1970).
  ///
  /// - Throws: `RunError` (the disk is full).
  public func append(step: Int, _ values: [String: LogValue]) throws {
    let time = (Date().timeIntervalSince1970 * 1000).rounded() / 1000
    let fields =
      [("step", .integer(step)), ("time", .number(time))] + values.sorted { $0.key < $1.key }.map { ($0, $1) }
    let line = Data((JSONText.object(fields) + "\n").utf8)
    let result = file.withLock { file in Result { try file.write(contentsOf: line) } }
    if case .failure(let error) = result {
      throw RunError(SystemCallError("write", path: path, error))
    }
  }

  /// Every record, for those who draw curves and for tests.
  public static func read(_ path: String) throws -> [[String: any Sendable]] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw RunError(path, "cannot be read", "Check the path and its permissions.")
    }
    return data.split(separator: 0x0A).compactMap {
      try? JSONSerialization.jsonObject(with: Data($0)) as? [String: any Sendable]
    }
  }
}
