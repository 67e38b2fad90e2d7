import ArgumentParser
import LegatoTraining

/// Work that Ctrl-C ends: afterwards the exit code that shells expect.
enum Cancellation {
  /// Runs `body`, which throws soon after `StopSignal` was raised.
  static func run<Result>(_ body: () throws -> Result) throws -> Result {
    StopSignal.install()
    do {
      return try body()
    } catch {
      guard let code = StopSignal.exitCode, isCancellation(error) else { throw error }
      StandardError.write("legato: \(ErrorText.text(error))\n")
      throw ExitCode(code)
    }
  }

  private static func isCancellation(_ error: any Error) -> Bool {
    (error as? PrepareError)?.kind == .cancelled || (error as? CorpusError) == .cancelled
      || (error as? ConversionError) == .cancelled
  }
}
