import Foundation
import Synchronization
import Testing

@testable import LegatoTraining

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

private let yaml = "kind: model\nsteps: 100\ndata:\n  latents: data/l\ncheckpoint: {keep: 2}\n"
private let machine = MachineRecord(
  architecture: "x86_64", processor: "P", system: "Linux", torch: "2.11.0", threads: 2, device: "cpu")

private func open(_ path: String, _ settings: String...) throws -> RunFolder {
  try RunFolder(path: path, recipe: Recipe(yaml: yaml, settings: settings))
}

private func save(_ run: RunFolder, step: Int, content: String = "weights") throws {
  try run.saveCheckpoint(RunState(step: step, seconds: 1.5, machine: machine, extra: ["k": "v"])) { folder in
    try content.write(toFile: folder + "/model.safetensors", atomically: false, encoding: .utf8)
  }
}

private func names(_ path: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: path).sorted()
}

@Suite struct RunFolderTests {
  @Test func aNewRunThenResumed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/deep/run"
    do {
      let run = try open(path)
      #expect(run.latest == nil && run.warnings.isEmpty)
      #expect(try Recipe(path: run.recipePath) == run.recipe)
      for step in [10, 20, 30] { try save(run, step: step, content: "\(step)") }
      #expect(try names(run.checkpointsPath) == ["step-20", "step-30"])
    }
    let run = try open(path)
    let latest = try #require(run.latest)
    #expect(latest.step == 30 && latest.state.machine == machine && latest.state.extra == ["k": "v"])
    #expect(latest.state.files == ["model.safetensors": 2] && latest.state.seconds == 1.5)
    #expect(try String(contentsOfFile: latest.file("model.safetensors"), encoding: .utf8) == "30")
    #expect(try RunFolder.latestCheckpoint(ofRun: path)?.step == 30)
    #expect(try RunFolder.latestCheckpoint(ofRun: folder.path) == nil)
  }

  @Test func theNewestIsByNumberNotByName() throws {
    let folder = try TemporaryFolder()
    let run = try open(folder.path)
    for step in [9, 100, 1000] { try save(run, step: step) }
    #expect(try run.checkpoints().map(\.step) == [100, 1000])
  }

  @Test func onlyOneProcessAtATime() throws {
    let folder = try TemporaryFolder()
    let run = try open(folder.path)
    #expect { try open(folder.path) } throws: {
      "\($0)".contains("is training here") && "\($0)".contains("\(getpid())")
    }
    withExtendedLifetime(run) {}
  }

  @Test func theLockEndsWithTheRun() throws {
    let folder = try TemporaryFolder()
    for _ in 0..<3 { _ = try open(folder.path) }
  }

  /// As a child process has one that has not yet become its program.
  @Test func aCopyOfItsDescriptorDoesNotKeepTheLock() throws {
    let folder = try TemporaryFolder()
    var lock: FolderLock? = try FolderLock(folder: folder.path)
    var (file, other) = (stat(), stat())
    try #require(stat(folder.path + "/" + FolderLock.name, &file) == 0)
    let descriptor = (0..<4096).first {
      fstat($0, &other) == 0 && other.st_ino == file.st_ino && other.st_dev == file.st_dev
    }
    let copy = dup(try #require(descriptor))
    defer { close(copy) }
    #expect(throws: RunError.self) { try FolderLock(folder: folder.path) }
    #expect(lock != nil)
    lock = nil
    _ = try FolderLock(folder: folder.path)
  }

  @Test func anotherRecipeIsRefusedWithItsDifferences() throws {
    let folder = try TemporaryFolder()
    try save(open(folder.path), step: 1)
    #expect {
      try open(folder.path, "seed=7", "model.width=64", "batch_size=16")
    } throws: { error in
      let text = "\(error)"
      return text.contains("seed: 1 → 7")
        && text.contains("model.width: (none) → 64")
        && !text.contains("batch_size")
    }
    // The refused recipe left no trace.
    #expect(try Recipe(path: folder.path + "/recipe.yaml") == Recipe(yaml: yaml))
  }

  @Test func aRunThatHasLearntNothingTakesAnyRecipe() throws {
    let folder = try TemporaryFolder()
    _ = try open(folder.path)
    let run = try open(folder.path, "seed=7")
    #expect(run.warnings.isEmpty && run.recipe.seed == 7)
    #expect(try Recipe(path: run.recipePath) == run.recipe)
  }

  @Test func cadenceAndLengthMayChange() throws {
    let folder = try TemporaryFolder()
    try save(open(folder.path), step: 1)
    let run = try open(
      folder.path, "steps=200", "time_limit=1h", "threads=3", "log.every_steps=1", "samples.count=1",
      "checkpoint.keep=9", "evaluate.batches=1", "name=other")
    #expect(run.warnings.count == 1 && run.warnings[0].contains("steps: 100 → 200"))
    #expect(try Recipe(path: run.recipePath).threads == 3)
  }

  @Test func aRunWhoseLossBecameNaNMayGoOnMoreSlowly() throws {
    let folder = try TemporaryFolder()
    try save(open(folder.path), step: 1)
    let run = try open(folder.path, "optimizer.learning_rate=1e-5")
    #expect(run.warnings.count == 1 && run.warnings[0].contains("optimizer.learning_rate: 0.0003 → "))
  }

  @Test func foreignFoldersAreLeftAlone() throws {
    let folder = try TemporaryFolder()
    try "x".write(toFile: folder.path + "/letter.txt", atomically: false, encoding: .utf8)
    #expect { try open(folder.path) } throws: { "\($0)".contains("letter.txt") }
    #expect { try open(folder.path + "/letter.txt") } throws: { $0 is RunError }
    #expect { try open(folder.path + "/letter.txt/run") } throws: { $0 is RunError }
    #expect(try names(folder.path).filter { !$0.hasPrefix(".") } == ["letter.txt"])
  }

  @Test func aBrokenRecordedRecipeIsNamed() throws {
    let folder = try TemporaryFolder()
    try save(open(folder.path), step: 1)
    try "kind: model\nsteps: [".write(
      toFile: folder.path + "/recipe.yaml", atomically: false, encoding: .utf8)
    #expect { try open(folder.path) } throws: { "\($0)".contains("own recipe cannot be read") }
  }
}

@Suite struct RunCheckpointTests {
  private struct Broken: Error {}

  @Test func aFailedWriteLeavesTheOldOnes() throws {
    let folder = try TemporaryFolder()
    let run = try open(folder.path)
    try save(run, step: 1)
    #expect(throws: Broken.self) {
      try run.saveCheckpoint(RunState(step: 2, seconds: 0, machine: machine)) { folder in
        try "half".write(toFile: folder + "/model.safetensors", atomically: false, encoding: .utf8)
        throw Broken()
      }
    }
    #expect(try names(run.checkpointsPath) == ["step-1"])
  }

  @Test func theSameStepAgainReplaces() throws {
    let folder = try TemporaryFolder()
    let run = try open(folder.path)
    try save(run, step: 5, content: "old")
    try save(run, step: 5, content: "newer")
    #expect(try names(run.checkpointsPath) == ["step-5"])
    #expect(try run.checkpoints()[0].state.files == ["model.safetensors": 5])
  }

  @Test func leftoversOfInterruptedWritesGo() throws {
    let folder = try TemporaryFolder()
    do { try save(open(folder.path), step: 5) }
    let checkpoints = folder.path + "/checkpoints"
    let files = FileManager.default
    try files.createDirectory(atPath: checkpoints + "/.step-6.partial", withIntermediateDirectories: true)
    try files.createDirectory(atPath: checkpoints + "/.step-4.old.partial", withIntermediateDirectories: true)
    try "x".write(toFile: folder.path + "/.recipe.yaml.1-a.partial", atomically: false, encoding: .utf8)
    try files.copyItem(atPath: checkpoints + "/step-5", toPath: checkpoints + "/.step-5.replaced")
    #expect(try open(folder.path).latest?.step == 5)
    #expect(try names(checkpoints) == ["step-5"])
    #expect(try names(folder.path).filter { $0.hasSuffix(".partial") }.isEmpty)
    // Killed between the two renames of a replacement: the old one gets its name back.
    try files.moveItem(atPath: checkpoints + "/step-5", toPath: checkpoints + "/.step-5.replaced")
    #expect(try open(folder.path).latest?.step == 5)
  }

  @Test(arguments: ["remove state", "garble state", "cut file", "remove file", "newer", "wrong step"])
  func damagedCheckpointsArePassedOver(damage: String) throws {
    let folder = try TemporaryFolder()
    do {
      let run = try open(folder.path)
      try save(run, step: 1)
      try save(run, step: 2)
    }
    let path = folder.path + "/checkpoints/step-2"
    switch damage {
    case "remove state": try FileManager.default.removeItem(atPath: path + "/state.json")
    case "garble state": try "{".write(toFile: path + "/state.json", atomically: false, encoding: .utf8)
    case "cut file": try "w".write(toFile: path + "/model.safetensors", atomically: false, encoding: .utf8)
    case "remove file": try FileManager.default.removeItem(atPath: path + "/model.safetensors")
    case "newer":
      try "{\"format_version\": 2}".write(toFile: path + "/state.json", atomically: false, encoding: .utf8)
    default: try FileManager.default.moveItem(atPath: path, toPath: folder.path + "/checkpoints/step-3")
    }
    let run = try open(folder.path)
    #expect(run.latest?.step == 1)
    #expect(run.warnings.count == 1 && run.warnings[0].contains("passed over"))
    if damage == "newer" { #expect(run.warnings[0].contains("newer Legato")) }
    // Pruning counts whole checkpoints only: the one good one stays.
    try save(run, step: 4)
    #expect(try run.checkpoints().map(\.step) == [1, 4])
  }

  @Test func keepingOneNeverRemovesTheNewest() throws {
    let folder = try TemporaryFolder()
    let run = try open(folder.path, "checkpoint.keep=1")
    for step in 1...3 {
      try save(run, step: step)
      #expect(try run.checkpoints().map(\.step) == [step])
    }
    // Going back to an earlier step: what was just written stays although it is not the newest.
    try save(run, step: 1)
    #expect(try run.checkpoints().map(\.step) == [1, 3])
  }

  @Test func subfoldersAreRecorded() throws {
    let folder = try TemporaryFolder()
    let run = try open(folder.path)
    let checkpoint = try run.saveCheckpoint(RunState(step: 1, seconds: 0, machine: machine)) { folder in
      try FileManager.default.createDirectory(atPath: folder + "/codec", withIntermediateDirectories: true)
      try "abc".write(toFile: folder + "/codec/config.json", atomically: false, encoding: .utf8)
    }
    #expect(checkpoint.state.files == ["codec/config.json": 3])
  }
}

@Suite struct RunScheduleTests {
  private func schedule(
    _ shape: OptimizerRecipe.Schedule, warmup: Int = 10, steps: Int = 110, final: Double = 0.1
  ) -> Schedule {
    Schedule(peak: 2, warmupSteps: warmup, steps: steps, shape: shape, finalFraction: final)
  }

  @Test func warmUpThenCosine() {
    let schedule = schedule(.cosine)
    #expect(schedule.learningRate(at: 1) == 0.2 && schedule.learningRate(at: 10) == 2)
    #expect(abs(schedule.learningRate(at: 60) - 1.1) < 1e-12)
    #expect(abs(schedule.learningRate(at: 110) - 0.2) < 1e-12)
    #expect(schedule.learningRate(at: 1000) == schedule.learningRate(at: 110))
    let rates = (10...110).map { schedule.learningRate(at: $0) }
    #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 > $1 })
  }

  @Test func constantAndEdges() {
    #expect(schedule(.constant).learningRate(at: 100) == 2)
    #expect(schedule(.constant, warmup: 0).learningRate(at: 1) == 2)
    #expect(schedule(.cosine, warmup: 200).learningRate(at: 100) == 1)
    #expect(schedule(.cosine, warmup: 0, steps: 1).learningRate(at: 1) == 0.2)
    #expect(schedule(.cosine).learningRate(at: 0) > 0)
  }
}

@Suite(.serialized) struct RunStoppingTests {
  // Each in a process of its own: the flag would stop whatever other tests train, and threads that block signals
  // may keep one back until then.

  /// To this thread, which may have come with signals blocked.
  private static func send(_ signal: Int32) {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, signal)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    raise(signal)
  }

  @Test func signalsSetTheFlag() async {
    await #expect(processExitsWith: .success) {
      StopSignal.install()
      for (signal, code) in [(SIGTERM, Int32(143)), (SIGINT, 130)] {
        StopSignal.reset()
        #expect(!StopSignal.isRequested && StopSignal.exitCode == nil)
        Self.send(signal)
        #expect(StopSignal.isRequested && StopSignal.exitCode == code)
      }
      // The same Ctrl-C twice, as launchers pass it on, does not end the process; a busy machine may take a while for it.
      StopSignal.sameWithin.store(60_000, ordering: .relaxed)
      StopSignal.reset()
      Self.send(SIGINT)
      Self.send(SIGINT)
      #expect(StopSignal.exitCode == 130)
      StopSignal.reset()
      StopSignal.request()
      #expect(StopSignal.isRequested)
    }
  }

  @Test func aSecondCtrlCEndsTheProcess() async {
    await #expect(processExitsWith: .exitCode(130)) {
      StopSignal.install()
      Self.send(SIGINT)
      usleep(500_000)
      Self.send(SIGINT)
    }
  }

  @Test func timeLimit() {
    let clock = HandClock()
    let limit = TimeLimit(seconds: 10) { clock.now }
    #expect(limit.remaining == 10 && !limit.isOver() && limit.isOver(before: 10))
    clock.advance(10)
    #expect(limit.isOver())
    #expect(!TimeLimit(seconds: nil).isOver(before: .infinity))
  }

  @Test func machines() {
    let current = MachineRecord.current(torch: "2.12.0", threads: 2, device: "cpu", precision: .bfloat16)
    #expect(!current.architecture.isEmpty && !current.processor.isEmpty && !current.system.isEmpty)
    #expect(current.differences(from: current).isEmpty)
    var other = machine
    other.threads = 4
    other.torch = "2.13.0"
    // A record of before does not say in what it computed.
    other.precision = "f32"
    #expect(
      other.differences(from: machine) == ["libtorch was 2.11.0, is 2.13.0", "thread count was 2, is 4"])
    var rounded = other
    rounded.precision = "bf16"
    #expect(rounded.differences(from: other) == ["precision was f32, is bf16"])
  }
}
