#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Writing to a closed pipe returns EPIPE instead of ending the process, without any global setting.
enum PipeSignal {
  static func withoutDeath<Result>(_ descriptor: Int32, _ body: () -> Result) -> Result {
    #if canImport(Darwin)
      _ = fcntl(descriptor, F_SETNOSIGPIPE, 1)
      return body()
    #else
      // The signal goes to the thread that writes: block it there, take it off the queue, unblock.
      var pipeOnly = sigset_t()
      var before = sigset_t()
      var pending = sigset_t()
      sigemptyset(&pipeOnly)
      sigaddset(&pipeOnly, SIGPIPE)
      sigpending(&pending)
      let wasPending = sigismember(&pending, SIGPIPE) == 1
      pthread_sigmask(SIG_BLOCK, &pipeOnly, &before)
      let result = body()
      if !wasPending {
        var now = timespec()
        while sigtimedwait(&pipeOnly, nil, &now) < 0, errno == EINTR {}
      }
      pthread_sigmask(SIG_SETMASK, &before, nil)
      return result
    #endif
  }
}
