import Foundation
import Legato
import LegatoCodecs
import LegatoModels
import LegatoTensor
import Testing

@Suite struct SessionGroupTests {
  private func options(_ index: Int, _ package: ModelPackage) -> GenerationOptions {
    var options = package.options(seed: UInt64(index))
    options.steps = [8, 1, 70, 40, 8][index % 5]
    options.temperature = [1, 0.7][index % 2]
    options.contextNoise = [0.05, 0.3, 0][index % 3]
    return options
  }

  /// What each session plays alone.
  private func alone(_ index: Int, _ package: ModelPackage, frames: Int) -> [[Float]] {
    let session = Session(package, options: options(index, package), threads: 1)
    return (0..<frames).map { _ in Array(session.next().channels.joined()) }
  }

  /// Of a tiny package with a sampler, or the one that ships.
  private static func package(_ sampler: SamplerKind?) throws -> ModelPackage {
    if let sampler { return try SessionTests.package(sampler: sampler) }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try ModelPackage(path: root.appendingPathComponent("Models/legato-first").path)
  }

  @Test(arguments: SamplerKind.allCases + [nil])
  func everySessionPlaysWhatItPlaysAlone(_ sampler: SamplerKind?) throws {
    let package = try Self.package(sampler)
    let group = SessionGroup(package, capacity: 5, threads: 2)
    var sessions = try (0..<4).map { try group.join(options($0, package)) }
    var names = [0, 1, 2, 3]
    var played = [Int: [[Float]]]()
    func play(_ members: [Int]) {
      for (member, chunk) in zip(members, group.next(members.map { sessions[$0] })) {
        #expect(chunk.channels.allSatisfy { $0.allSatisfy(\.isFinite) })
        played[names[member], default: []].append(Array(chunk.channels.joined()))
      }
    }
    for _ in 0..<9 { play([0, 1, 2, 3]) }
    // One leaves, and a new one takes its place in memory; others pause, and play in another order.
    sessions.remove(at: 1)
    names.remove(at: 1)
    for _ in 0..<3 { play([2, 0]) }
    sessions.append(try group.join(options(4, package)))
    names.append(4)
    for _ in 0..<6 { play([3, 1, 0, 2]) }
    for (index, chunks) in played {
      // Codes are heard a few frames late: a group's first chunks are empty then.
      let heard = chunks.filter { !$0.isEmpty }
      #expect(heard == alone(index, package, frames: heard.count), "session \(index)")
    }
    #expect(played.mapValues(\.count) == [0: 18, 1: 9, 2: 15, 3: 18, 4: 6])
  }

  @Test func aFullGroupSaysSo() throws {
    let group = SessionGroup(try SessionTests.package(), capacity: 2, threads: 1)
    var sessions = try [group.join(), group.join()]
    #expect(throws: GenerationError.self) { try group.join() }
    sessions.removeLast()
    _ = try group.join()
    #expect(group.next([]).isEmpty && group.next(sessions).count == 1)
  }

  @Test func whatCannotBeIsHeldWithinItsRange() throws {
    let package = try SessionTests.package()
    for (capacity, held) in [(Int.min, 1), (-3, 1), (0, 1), (7, 7), (.max, 1024)] {
      #expect(SessionGroup(package, capacity: capacity, threads: 1).capacity == held)
    }
    for (threads, most) in [(Int.min, 1), (-1, 1), (0, 1), (10_000, 64), (.max, 64)] {
      let group = SessionGroup(package, capacity: 1, threads: threads)
      #expect((1...most).contains(group.threads))
      #expect(group.next([try group.join()]).count == 1)
    }
  }

  /// A place is free again wherever its session was released.
  @Test func sessionsAreReleasedOnAnyThread() throws {
    let group = SessionGroup(try SessionTests.package(), capacity: 8, threads: 1)
    let stays = try group.join()
    for _ in 0..<20 {
      nonisolated(unsafe) var others = try (0..<7).map { _ in Optional(try group.join()) }
      others.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let buffer = buffer
        DispatchQueue.concurrentPerform(iterations: 7) { buffer[$0] = nil }
      }
      #expect(group.next([stays]).count == 1)
    }
  }

  @Test func aSessionIsSavedInOneGroupAndGoesOnInAnother() throws {
    let package = try SessionTests.package()
    let group = SessionGroup(package, capacity: 3, threads: 1)
    let sessions = try (0..<3).map { try group.join(options($0, package)) }
    for _ in 0..<11 { _ = group.next(sessions) }
    let other = Session(package, options: options(2, package), threads: 2)
    try other.restore(sessions[2].save())
    for _ in 0..<5 { #expect(group.next(sessions)[2].channels == other.next().channels) }
  }

  /// A prompt is read many latents at a time; the stream must not tell.
  @Test(arguments: [1, 7, 75, 150, 257], [WeightFormat.float32, .bfloat16])
  func aPromptIsReadAsFrameByFrame(count: Int, format: WeightFormat) throws {
    let original = try ContinuousModelTests.model()
    let stored = original.weights.map { $0.shape.count == 2 ? $0.converted(to: format) : $0 }
    let model = try ContinuousModel(
      original.configuration, weights: NamedWeights(stored, origin: "a test"))
    let d = model.configuration.latentDimension
    let given = RandomStream(seed: 8, stream: 1).normal(count * d)
    func stream() -> LatentStream {
      LatentStream(model: model, engine: CPUEngine(threads: 1), options: options)
    }
    var options = GenerationOptions(seed: 5)
    options.contextNoise = 0.2
    let (whole, single) = (stream(), stream())
    try given.withUnsafeBufferPointer { all in
      try whole.feed(all)
      for frame in 0..<count { try single.feed(.init(rebasing: all[frame * d..<(frame + 1) * d])) }
    }
    #expect(whole.position == count && single.position == count)
    for _ in 0..<12 { #expect(Array(whole.next()) == Array(single.next())) }
  }
}
