import ArgumentParser
import LegatoTensor
import LegatoTraining

/// How much is said, and in which form.
struct OutputOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say nothing but results and errors.")
  var quiet = false

  @Flag(help: "Print results as JSON, one object a line.")
  var json = false
}

extension OutputOptions {
  /// Progress of minutes, that belongs in a log as well, where JSON is for the result alone.
  var loggedProgress: ProgressStyle { quiet || json ? .quiet : .automatic }

  /// Progress for a task that a person watches: in a terminal only.
  var terminalProgress: ProgressStyle { StandardError.isTerminal ? loggedProgress : .quiet }

  /// Progress that belongs in a log as well, and is itself a result that a program may read.
  var progress: ProgressStyle { quiet ? .quiet : json ? .json : .automatic }
}

/// Packages to be measured side by side.
struct ModelsOption: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A model package, or LABEL=PACKAGE; repeat it for several. (default: LEGATO_MODEL, or the package that ships)",
      valueName: "[label=]package"))
  var model: [String] = []
}

struct ThreadsOption: ParsableArguments {
  @Option(help: "Threads to compute with. (default: one a core; to play and to measure, at most 4)")
  var threads: Int?

  /// What an engine takes where nothing is asked for.
  var value: Int { threads ?? Platform.defaultThreadCount }

  func validate() throws {
    if let threads, !(1...256).contains(threads) {
      throw ValidationError("--threads is \(threads); it must be from 1 to 256")
    }
  }
}

struct TimeLimitOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Stop cleanly after this time: 25m, 6h. The same command goes on.", valueName: "time"))
  var timeLimit: String?

  var seconds: Int? { timeLimit.flatMap(DurationText.seconds) }

  func validate() throws {
    if let timeLimit, seconds == nil {
      throw ValidationError(
        "--time-limit is '\(timeLimit)'; write a time such as 25m, 1h30m, or a number of seconds")
    }
  }
}

struct SeedOption: ParsableArguments {
  @Option(help: "The same seed gives the same sound. (default: random, and printed)")
  var seed: UInt64?

  /// Random seeds are short enough to be typed again.
  func value() -> UInt64 { seed ?? UInt64(UInt32.random(in: 0 ... .max)) }
}
