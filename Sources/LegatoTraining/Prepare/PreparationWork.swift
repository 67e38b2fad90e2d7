import Dispatch
import LegatoAudio
import LegatoCodecs
import LegatoTensor
import Synchronization

/// The shards still to be made, shared by the threads that make them: each thread takes one recording after the
/// other, and whoever finishes a shard's last recording writes the shard.
final class PreparationWork: Sendable {
  private enum Outcome: Sendable {
    case encoded(LatentSpool, frames: Int)
    case earlier(SafetensorsFile, frames: Int)
    case skipped(String)
  }

  private struct State {
    var next = 0
    var done = 0
    var encoded = 0
    var seconds = 0.0
    var outcomes: [Int: Outcome] = [:]
    var left: [Int: Int]
    var failure: (any Error)?
  }

  private let plan: ShardPlan
  /// (shard, recording) in the order of the plan.
  private let jobs: [(shard: Int, recording: Int)]
  private let codec: any AudioCodec
  private let minimumSeconds: Double
  private let line: ProgressLine
  private let isCancelled: @Sendable () -> Bool
  private let state: Mutex<State>

  init(
    plan: ShardPlan, shards: [Int], codec: any AudioCodec, minimumSeconds: Double, line: ProgressLine,
    isCancelled: @escaping @Sendable () -> Bool
  ) {
    self.plan = plan
    self.codec = codec
    self.minimumSeconds = minimumSeconds
    self.line = line
    self.isCancelled = isCancelled
    jobs = shards.flatMap { shard in plan.shards[shard].recordings.map { (shard, $0) } }
    let left = Dictionary(shards.map { ($0, plan.shards[$0].recordings.count) }, uniquingKeysWith: { $1 })
    state = Mutex(State(left: left))
  }

  /// Recordings that went through the codec.
  var encoded: Int { state.withLock { $0.encoded } }

  /// Makes all shards. Throws the first error that is no single recording's.
  func run(threads: Int) throws {
    guard !jobs.isEmpty else { return }
    DispatchQueue.concurrentPerform(iterations: min(threads, jobs.count)) { _ in self.runThread() }
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  private func runThread() {
    var encoder: RecordingEncoder?
    while let number = state.withLock({ state -> Int? in
      guard state.failure == nil, state.next < jobs.count else { return nil }
      state.next += 1
      return state.next - 1
    }) {
      let (shard, recording) = jobs[number]
      do {
        if isCancelled() {
          throw PrepareError(.cancelled, plan.folder, "stopped on request", LatentError.prepareAgain)
        }
        let outcome = try outcome(of: plan.recordings[recording], encoder: &encoder)
        let isLast = state.withLock { state in
          state.outcomes[recording] = outcome
          state.left[shard, default: 0] -= 1
          return state.left[shard] == 0
        }
        if isLast { try write(shard) }
        report(outcome)
      } catch {
        state.withLock { if $0.failure == nil { $0.failure = error } }
      }
    }
  }

  private func outcome(of recording: Recording, encoder: inout RecordingEncoder?) throws -> Outcome {
    if let file = plan.finished[recording.identity], let entry = try? file.entry(recording.identity.path) {
      return .earlier(file, frames: entry.shape[0])
    }
    do {
      let made = encoder ?? RecordingEncoder(codec: codec)
      encoder = made
      var spool = LatentSpool(folder: plan.folder)
      var frames = 0
      let samples = try made.encode(recording.file, isCancelled: isCancelled) { latent in
        guard latent.allSatisfy({ abs($0) < 60_000 }) else {
          throw PrepareError(
            .unusable, recording.file, "its latents are too large to be stored", "Check its level.")
        }
        try spool.appendFloat16(latent)
        frames += 1
      }
      let seconds = Double(samples) / Double(codec.sampleRate)
      guard seconds >= minimumSeconds else {
        return .skipped("it lasts \(Self.rounded(seconds)) s, less than \(Self.rounded(minimumSeconds)) s")
      }
      return .encoded(spool, frames: frames)
    } catch let error as AudioError {
      // What is missing on this machine would silently leave out every file of that kind.
      if case .libraryMissing = error { throw error }
      return skipped(recording, error.description)
    } catch let error as PrepareError where error.kind == .unusable {
      return skipped(recording, error.description)
    }
  }

  private func skipped(_ recording: Recording, _ description: String) -> Outcome {
    let prefix = recording.file + ": "
    return .skipped(description.hasPrefix(prefix) ? String(description.dropFirst(prefix.count)) : description)
  }

  private static func rounded(_ seconds: Double) -> Double { (seconds * 100).rounded() / 100 }

  private func write(_ number: Int) throws {
    let shard = plan.shards[number]
    let outcomes = state.withLock { state in
      shard.recordings.map { index in (plan.recordings[index], state.outcomes.removeValue(forKey: index)) }
    }
    var description = LatentShard(codecHash: plan.codecHash, entries: [])
    var declarations: [SafetensorsWriter.Declaration] = []
    for (recording, outcome) in outcomes {
      switch outcome {
      case .encoded(_, let frames), .earlier(_, let frames):
        description.entries.append(.init(source: recording.identity, frames: frames))
        declarations.append(.init(recording.identity.path, .float16, [frames, plan.dimension]))
      case .skipped(let reason):
        description.entries.append(.init(source: recording.identity, skipped: reason))
      case nil: preconditionFailure("the shard \(shard.name) was written before its recordings")
      }
    }
    guard description != shard.existing else { return }
    do {
      let writer = try SafetensorsWriter(
        path: plan.folder + "/" + shard.name, tensors: declarations, metadata: try description.metadata())
      for (recording, outcome) in outcomes {
        let name = recording.identity.path
        switch outcome {
        case .encoded(let spool, _): try spool.copy(to: name, of: writer)
        case .earlier(let file, _): try file.withBytes(name) { try writer.append($0, to: name) }
        default: break
        }
      }
      try writer.finish()
    } catch let error as SafetensorsError {
      throw LatentError(.cannotWrite, error.file, error.reason, error.remedy)
    }
  }

  private func report(_ outcome: Outcome) {
    let (done, hours) = state.withLock { state in
      state.done += 1
      if case .encoded(_, let frames) = outcome {
        state.encoded += 1
        state.seconds += Double(frames) / codec.frameRate
      }
      return (state.done, state.seconds / 3600)
    }
    line.update(done, [("hours", .number(hours))])
  }
}
