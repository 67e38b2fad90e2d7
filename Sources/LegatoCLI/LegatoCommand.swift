import ArgumentParser
import LegatoTensor

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// `legato`: makes sound, trains what makes it, and says what things are.
@main
struct LegatoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "legato",
    abstract: "Music from causal language models on continuous latents.",
    discussion: """
      Hear the model that ships:
        legato generate --duration 30 --output out.wav
        legato generate --duration endless --output - | ffplay -nodisp -i -

      Train on your own recordings, from a folder to sound:
        legato prepare ~/recordings --output data/latents
        legato train Recipes/finetune-model.yaml --from Models/legato-first
        legato generate --model runs/finetune-model/package --output mine.wav

      `legato help SUBCOMMAND` is the manual of each step.

      Exit codes: 0 done, 1 failed (one line on standard error says why), 64 the command line makes no sense, \
      130 stopped by Ctrl-C.
      """,
    version: "0.1.0",
    subcommands: [
      Generate.self, Info.self, Prepare.self, Train.self, Tune.self, Corpus.self, Encode.self, Decode.self,
      Compare.self, Measure.self, Instruments.self, Evaluate.self, Drift.self, Reproduce.self, Convert.self,
      Bench.self,
      SoundFont.self,
    ])

  static func main() async {
    // A player that is closed while we stream to it is reported where we write, not by a signal.
    signal(SIGPIPE, SIG_IGN)
    hearSignals()
    var kind: any ParsableCommand.Type = Self.self
    do {
      var command = try parseAsRoot()
      kind = type(of: command)
      // Help and version are for everybody.
      let all = configuration.subcommands.flatMap { [$0] + $0.configuration.subcommands }
      if all.contains(where: { $0 == kind }) { try checkInstructionSet() }
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let error as ValidationError {
      // An option that made no sense only once others were known: the parser would tell the root's usage.
      let name = name(of: kind)
      StandardError.write(
        "Error: \(error.message)\nUsage: \(usageString(for: kind))\n"
          + "  See 'legato \(name) --help' for more information.\n")
      exit(withError: ExitCode.validationFailure)
    } catch {
      // What the parser raised itself (usage errors, help, version, exit codes) it also knows how to tell.
      let isOwn = error is ExitCode || exitCode(for: error) != .failure
      if isOwn { exit(withError: error) }
      StandardError.write("legato: \(ErrorText.text(error))\n")
      exit(withError: ExitCode.failure)
    }
  }

  /// As it is typed after `legato`: "drift", "evaluate loss".
  private static func name(of kind: any ParsableCommand.Type) -> String {
    let own = kind.configuration.commandName ?? "\(kind)".lowercased()
    let parent = configuration.subcommands.first { $0.configuration.subcommands.contains { $0 == kind } }
    return (parent.map { "\($0.configuration.commandName ?? "\($0)".lowercased()) " } ?? "") + own
  }

  /// The engine leaves out what it does not know; whoever asks for an instruction set wants to know.
  private static func checkInstructionSet() throws {
    let known = Platform.instructionSets
    guard let wanted = getenv("LEGATO_ISA").map({ String(cString: $0) }), !wanted.isEmpty,
      !known.contains(wanted)
    else { return }
    throw CommandError(
      "LEGATO_ISA is '\(wanted)'; this processor has \(known.joined(separator: ", ")): set one of these, or unset it"
    )
  }

  /// Whoever started us may have blocked Ctrl-C, as Foundation's `Process` does from a dispatch thread.
  private static func hearSignals() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }
}
