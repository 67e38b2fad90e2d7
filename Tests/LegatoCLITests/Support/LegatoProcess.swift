import Foundation

/// Runs the `legato` that was built beside the tests, as a person would.
enum LegatoProcess {
  struct Result: Sendable {
    var status: Int32
    /// Nil status of a process that a signal ended: a crash.
    var crashed: Bool
    var output: Data
    var error: String

    var text: String { String(decoding: output, as: UTF8.self) }

    /// The one line that a failure prints, without its end.
    var message: String { error.hasSuffix("\n") ? String(error.dropLast()) : error }
  }

  static let executable: URL = {
    let bundles =
      Bundle.allBundles.map(\.bundleURL)
      + [Bundle.main.bundleURL, Bundle.main.executableURL].compactMap { $0 }
    let folders = bundles.flatMap { [$0, $0.deletingLastPathComponent()] }
    let candidates = folders.map { $0.appendingPathComponent("legato") }
    let found = candidates.first {
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: $0.path, isDirectory: &isFolder) && !isFolder.boolValue
    }
    return found ?? candidates[0]
  }()

  /// A process that is still running, for what is done to it meanwhile.
  static func start(
    _ arguments: [String], in folder: URL, environment: [String: String] = [:],
    through launcher: [String] = [],
    output: Any?, error: Any?
  ) throws -> Process {
    let process = Process()
    process.executableURL = launcher.first.map { URL(fileURLWithPath: $0) } ?? executable
    process.arguments = launcher.dropFirst() + arguments
    process.currentDirectoryURL = folder
    var variables = ProcessInfo.processInfo.environment
    variables["LEGATO_MODEL"] = nil
    variables.merge(environment) { $1 }
    process.environment = variables
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = error
    try process.run()
    return process
  }

  /// The same as ``run(_:in:environment:asNobody:)``, without keeping other tests from the few threads that there are.
  static func runLong(_ arguments: [String], in folder: URL) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(with: Swift.Result { try run(arguments, in: folder) })
      }
    }
  }

  /// Output goes through files: a pipe that nobody empties would stop the process.
  /// - Parameter asNobody: whom permissions bind, as they do not bind root. Tests that are not root's are bound anyway.
  static func run(
    _ arguments: [String], in folder: URL, environment: [String: String] = [:], asNobody: Bool = false
  ) throws -> Result {
    let name = UUID().uuidString
    let (out, err) = (
      FileManager.default.temporaryDirectory.appendingPathComponent("\(name).out"),
      FileManager.default.temporaryDirectory.appendingPathComponent("\(name).err")
    )
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("\(name).legato")
    var launcher: [String] = []
    if asNobody, getuid() == 0 {
      // A copy that every user may execute: the build may lie in a folder that is root's alone.
      try FileManager.default.copyItem(at: executable, to: copy)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: copy.path)
      launcher = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy.path]
    }
    defer {
      try? FileManager.default.removeItem(at: copy)
      try? FileManager.default.removeItem(at: out)
      try? FileManager.default.removeItem(at: err)
    }
    for file in [out, err] { try Data().write(to: file) }
    let (outHandle, errHandle) = (try FileHandle(forWritingTo: out), try FileHandle(forWritingTo: err))
    let process = try start(
      arguments, in: folder, environment: environment, through: launcher, output: outHandle, error: errHandle)
    process.waitUntilExit()
    try outHandle.close()
    try errHandle.close()
    return Result(
      status: process.terminationStatus, crashed: process.terminationReason == .uncaughtSignal,
      output: try Data(contentsOf: out), error: String(decoding: try Data(contentsOf: err), as: UTF8.self))
  }
}

/// A folder that is gone when the test is.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("legato-cli-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  /// What lies in it, hidden files included: nothing half-written may stay.
  var contents: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted() }
}
