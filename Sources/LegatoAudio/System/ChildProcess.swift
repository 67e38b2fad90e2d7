import Foundation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

#if os(macOS) || os(Linux)
  /// A program run for its standard output. Standard error is kept; the child is ended when the value goes.
  final class ChildProcess {
    /// What the program prints.
    let output: ByteStream

    private let pid: pid_t
    private let errors: Int32
    private var status: Int32?

    /// Starts `executable`; `label` names the stream in errors.
    init(executable: String, arguments: [String], label: String) throws {
      func failed(_ code: Int32) -> AudioError {
        .cannotRead(
          path: label, reason: "\(executable) could not be started: \(String(cString: strerror(code)))")
      }
      var ends: [Int32] = [0, 0]
      guard pipe(&ends) == 0 else { throw failed(errno) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      // Errors go to an unlinked file rather than to a second pipe, which could fill while nobody reads it.
      var template = Array("/tmp/legato-XXXXXX".utf8CString)
      let errors = mkstemp(&template)
      if errors >= 0 {
        _ = fcntl(errors, F_SETFD, FD_CLOEXEC)
        unlink(template)
      }
      #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t? = nil
      #else
        var actions = posix_spawn_file_actions_t()
      #endif
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
      if errors >= 0 { posix_spawn_file_actions_adddup2(&actions, errors, 2) }

      let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
      var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
      envp.append(nil)
      defer { for variable in envp { free(variable) } }
      var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) }
      argv.append(nil)
      defer { for argument in argv { free(argument) } }
      var pid: pid_t = 0
      let code = posix_spawn(&pid, executable, &actions, nil, argv, envp)
      close(ends[1])
      guard code == 0 else {
        close(ends[0])
        if errors >= 0 { close(errors) }
        throw failed(code)
      }
      self.pid = pid
      self.errors = errors
      output = ByteStream(descriptor: ends[0], path: label)
    }

    deinit {
      if status == nil {
        kill(pid, SIGKILL)
        _ = wait()
      }
      if errors >= 0 { close(errors) }
    }

    /// Waits for the end; 0 is success.
    func wait() -> Int32 {
      if let status { return status }
      var raw: Int32 = 0
      while waitpid(pid, &raw, 0) < 0, errno == EINTR {}
      status = raw
      return raw
    }

    /// The last line the program wrote to standard error, if any.
    var lastErrorLine: String? {
      guard errors >= 0 else { return nil }
      var bytes = [UInt8](repeating: 0, count: 8192)
      let count = pread(errors, &bytes, bytes.count, 0)
      guard count > 0 else { return nil }
      return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").last.map(String.init)
    }

    /// The first executable file called `name` on PATH.
    static func find(_ name: String, path: String? = nil) -> String? {
      let list = path ?? getenv("PATH").map { String(cString: $0) } ?? ""
      return list.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
  }
#endif
