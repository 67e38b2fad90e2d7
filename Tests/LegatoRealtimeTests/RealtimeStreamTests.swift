import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import Synchronization
import Testing

@Suite struct RealtimeStreamTests {
  static func started(
    _ package: ModelPackage, _ options: GenerationOptions, depth: Int = 3, threads: Int = 1
  ) throws -> RealtimeStream {
    let stream = try RealtimeStream(package, options: options, depth: depth, threads: threads)
    try stream.start()
    #expect(stream.waitUntilFull(seconds: 60))
    return stream
  }

  /// The first sample at which two sounds differ.
  static func firstDifference(_ one: [[Float]], _ other: [[Float]]) -> Int? {
    one[0].indices.first { index in one.indices.contains { one[$0][index] != other[$0][index] } }
  }

  @Test(arguments: [(2, 1), (2, 2048), (3, 480), (16, 5000)])
  func itIsWhatASessionGives(depth: Int, block: Int) throws {
    let package = try Tiny.package()
    let total = block == 1 ? 8000 : 60_000
    let expected = reference(package, .init(seed: 5), samples: total)
    let stream = try Self.started(package, .init(seed: 5), depth: depth)
    let heard = try stream.music(total, block: min(block, stream.largestBlock))
    #expect(heard == expected)
    let metrics = stream.metrics
    #expect(metrics.frames > 0 && metrics.longestFrameTime >= metrics.meanFrameTime)
    #expect(metrics.meanFrameTime > 0 && metrics.refusedPulls == 0)
    #expect(metrics.waitingSamples <= depth * stream.samplesPerFrame)
  }

  /// A stream records fewer sizes of its plans than a session does.
  @Test(arguments: [1, 3, 12, 32, 40, 70]) func itIsWhatASessionGives(steps: Int) throws {
    let package = try Tiny.package()
    var options = GenerationOptions(seed: 5)
    options.steps = steps
    let stream = try Self.started(package, options)
    #expect(try stream.music(6000, block: 500) == reference(package, options, samples: 6000))
  }

  @Test func interleavedIsTheSame() throws {
    let package = try Tiny.package()
    let expected = reference(package, .init(seed: 5), samples: 512)
    let stream = try Self.started(package, .init(seed: 5))
    var samples = [Float](repeating: .nan, count: 1024)
    let got = try samples.withUnsafeMutableBufferPointer {
      try stream.pull(interleaved: #require($0.baseAddress), frames: 512)
    }
    #expect(got == 512)
    #expect((0..<2).map { c in stride(from: c, to: 1024, by: 2).map { samples[$0] } } == expected)
  }

  @Test(arguments: [2, 5]) func aChangeIsHeardWithinTheRingsDepthAndTheCodecsDelay(depth: Int) throws {
    let package = try Tiny.package()
    let changedAt = 20_000
    let stream = try Self.started(package, .init(seed: 8), depth: depth)
    let before = try stream.music(changedAt)
    try stream.update { $0.temperature = 0.2 }
    #expect(stream.options.temperature == 0.2)
    let bound = depth * stream.samplesPerFrame + package.codec.codec.delay
    let after = try stream.music(bound + 4800)
    let unchanged = reference(package, .init(seed: 8), samples: changedAt + bound + 4800)
    #expect(before == unchanged.map { Array($0.prefix(changedAt)) })
    let heard = try #require(Self.firstDifference(after, unchanged.map { Array($0.dropFirst(changedAt)) }))
    #expect(heard <= bound, "heard after \(heard) samples, \(bound) allowed")
    #expect(heard > 0)
  }

  @Test func aStyleChangesWhileItPlays() throws {
    let package = try Tiny.package(styles: ["one", "two"])
    var options = GenerationOptions(seed: 1)
    options.style = package.styles[0]
    let stream = try Self.started(package, options)
    _ = try stream.music(10_000)
    try stream.update { $0.style = package.styles[1] }
    let after = try stream.music(20_000)
    let same = reference(package, options, samples: 30_000).map { Array($0.dropFirst(10_000)) }
    #expect(Self.firstDifference(after, same) != nil)
    // One of another model is refused, and nothing changes.
    let foreign = Style(name: "foreign", weights: [], latents: package.styles[0].latents)
    #expect(throws: GenerationError.self) { try stream.update { $0.style = foreign } }
    #expect(stream.options.style == package.styles[1])
  }

  @Test func pausingLosesNothingAndCountsNothing() throws {
    let package = try Tiny.package()
    let expected = reference(package, .init(seed: 3), samples: 24_000)
    let stream = try Self.started(package, .init(seed: 3))
    let first = try stream.music(12_000)
    let underruns = stream.metrics.underruns
    try stream.pause()
    #expect(stream.isPaused)
    let memory = PlanarMemory([[Float]](repeating: [Float](repeating: 1, count: 100), count: 2))
    for _ in 0..<200 { #expect(try stream.pull(into: memory.rows, frames: 100) == 0) }
    #expect(memory.arrays(0..<100).allSatisfy { $0.allSatisfy { $0 == 0 } })
    #expect(stream.metrics.underruns == underruns)
    try stream.resume()
    let second = try stream.music(12_000)
    #expect(zip(first, second).map { $0 + $1 } == expected)
  }

  @Test func aSavedStateGoesOnWithTheNextSample() throws {
    let package = try Tiny.package(styles: ["one", "two"])
    var options = GenerationOptions(seed: 6)
    options.style = package.styles[1]
    let stream = try Self.started(package, options)
    // Loud, so that the limiter has something to remember; not on a frame's edge.
    try stream.update { $0.temperature = 3 }
    _ = try stream.music(9_001)
    let bytes = try stream.save().bytes
    let expected = try stream.music(20_000)

    try stream.restore(.init(bytes: bytes))
    #expect(try stream.music(20_000) == expected)
    // In another stream, with other options, another ring and other threads, before it starts.
    let other = try RealtimeStream(package, options: .init(seed: 9), depth: 7, threads: 2)
    try other.restore(.init(bytes: bytes))
    #expect(other.options == stream.options && other.options.temperature == 3)
    #expect(try other.save().bytes == bytes)
    try other.start()
    #expect(try other.music(20_000) == expected)
  }

  @Test func aDamagedOrForeignStateIsRefused() throws {
    let package = try Tiny.package(styles: ["one"])
    var options = GenerationOptions(seed: 6)
    options.style = package.styles[0]
    let stream = try Self.started(package, options)
    let bytes = try stream.save().bytes
    for damaged in [
      [], Array(bytes.prefix(40)), Array(bytes.dropLast()), bytes + [0], [UInt8](repeating: 255, count: 200),
    ] {
      #expect(throws: GenerationError.self) { try RealtimeStream.Snapshot(bytes: damaged) }
    }
    for place in stride(from: 0, to: bytes.count, by: bytes.count / 50) {
      var damaged = bytes
      damaged[place] ^= 0x10
      #expect(throws: GenerationError.self) { try RealtimeStream.Snapshot(bytes: damaged) }
    }
    let snapshot = try RealtimeStream.Snapshot(bytes: bytes)
    // Other weights, another codec, the same without the style.
    for other in [
      try Tiny.package(seed: 3, styles: ["one"]), try Tiny.package(codecSeed: 4, styles: ["one"]),
      try Tiny.package(),
    ] {
      let theirs = try Self.started(other, .init(seed: 1))
      #expect(throws: GenerationError.self) { try theirs.restore(snapshot) }
      // Nothing of it was taken over.
      #expect(try theirs.music(9000) == reference(other, .init(seed: 1), samples: 9000))
    }
  }

  @Test func aPromptIsContinuedAsASessionDoes() throws {
    let package = try Tiny.package(styles: ["one", "two"])
    let tone = (0..<48_000).map { Float($0 % 100) / 100 - 0.5 }
    let session = Session(package, options: .init(seed: 2), threads: 1)
    try session.prompt([tone, tone])
    let source = ChunkSource(session)
    var expected: [[Float]] = [[], []]
    while expected[0].count < 9000, let chunk = source.next() {
      for c in 0..<2 { expected[c] += chunk.channels[c] }
    }
    let stream = try RealtimeStream(package, options: .init(seed: 2), threads: 1)
    try stream.prompt([tone, tone])
    // The style that the recording is likest was taken.
    #expect(stream.options.style == session.options.style && stream.options.style != nil)
    try stream.start()
    #expect(try stream.music(9000) == expected.map { Array($0.prefix(9000)) })
    #expect(throws: GenerationError.self) { try stream.prompt([tone]) }
  }

  @Test func whatIsMissingIsSilenceAndCounted() throws {
    let package = try Tiny.package()
    let stream = try Self.started(package, .init(seed: 3), depth: 2)
    let memory = PlanarMemory(channels: 2, capacity: stream.largestBlock)
    // Faster than anybody makes music: after some pulls the ring is empty.
    var (short, missing) = (0, 0)
    for _ in 0..<50 {
      for row in memory.rows { row.update(repeating: 7, count: memory.capacity) }
      let got = try stream.pull(into: memory.rows, frames: memory.capacity)
      if got < memory.capacity {
        short += 1
        missing += memory.capacity - got
        #expect(memory.arrays(got..<memory.capacity).allSatisfy { $0.allSatisfy { $0 == 0 } })
      }
      #expect(memory.arrays(0..<got).allSatisfy { !$0.contains(7) })
    }
    #expect(short > 0)
    let metrics = stream.metrics
    #expect(metrics.underruns == short && metrics.missingSamples == missing)
  }

  @Test func silenceBeforeTheBeginningIsNoUnderrun() throws {
    let stream = try RealtimeStream(try Tiny.package(), options: .init(seed: 3), threads: 1)
    let memory = PlanarMemory(channels: 2, capacity: 512)
    for _ in 0..<10 { #expect(try stream.pull(into: memory.rows, frames: 512) == 0) }
    #expect(stream.metrics.underruns == 0 && stream.metrics.frames == 0)
    #expect(!stream.waitUntilFull(seconds: 0.05))
  }

  @Test func aFullRingWithNoReaderHoldsStill() throws {
    let stream = try Self.started(try Tiny.package(), .init(seed: 3), depth: 4)
    usleep(50_000)
    let made = stream.metrics.frames
    usleep(300_000)
    #expect(stream.metrics.frames == made)
    // And it is there when the reader comes back.
    #expect(try stream.music(20_000).count == 2)
  }

  @Test func afterStoppingThereIsSilenceAndAClearError() throws {
    let package = try Tiny.package()
    let stream = try Self.started(package, .init(seed: 3))
    let snapshot = try stream.save()
    stream.stop()
    stream.stop()
    #expect(stream.isStopped)
    let memory = PlanarMemory([[Float]](repeating: [Float](repeating: 1, count: 64), count: 2))
    #expect(throws: PullError.stopped) { try stream.pull(into: memory.rows, frames: 64) }
    #expect(memory.arrays(0..<64).allSatisfy { $0.allSatisfy { $0 == 0 } })
    #expect(throws: GenerationError.self) { try stream.start() }
    #expect(throws: GenerationError.self) { try stream.pause() }
    #expect(throws: GenerationError.self) { try stream.update { $0.temperature = 1 } }
    #expect(throws: GenerationError.self) { try stream.save() }
    #expect(throws: GenerationError.self) { try stream.restore(snapshot) }
    #expect(throws: GenerationError.self) { try stream.prompt([[0], [0]]) }
    #expect(!stream.waitUntilFull(seconds: 1))
  }

  @Test func whatCannotBeIsRefused() throws {
    let package = try Tiny.package()
    for depth in [Int.min, -1, 0, 1, 1025, .max] {
      #expect(throws: GenerationError.self) { try RealtimeStream(package, depth: depth) }
    }
    for threads in [Int.min, -1, 0] {
      #expect(throws: GenerationError.self) { try RealtimeStream(package, threads: threads) }
    }
    var options = GenerationOptions(seed: 1)
    options.temperature = .nan
    #expect(throws: GenerationError.self) { try RealtimeStream(package, options: options) }

    let stream = try Self.started(package, .init(seed: 3), depth: 2)
    #expect(throws: GenerationError.self) { try stream.update { $0.steps = 0 } }
    #expect(throws: GenerationError.self) { try stream.update { $0.temperature = .infinity } }
    #expect(stream.options == .init(seed: 3))
    let memory = PlanarMemory(channels: 2, capacity: stream.largestBlock + 1)
    let mono = PlanarMemory(channels: 1, capacity: 64)
    #expect(throws: PullError.badBlock) {
      try stream.pull(into: memory.rows, frames: stream.largestBlock + 1)
    }
    #expect(throws: PullError.badBlock) { try stream.pull(into: memory.rows, frames: -1) }
    #expect(throws: PullError.badBlock) { try stream.pull(into: mono.rows, frames: 64) }
    #expect(try stream.pull(into: memory.rows, frames: 0) == 0)
    #expect(try stream.pull(into: memory.rows, frames: stream.largestBlock) > 0)
    #expect(!stream.waitUntilFull(seconds: .nan) || stream.metrics.waitingSamples > 0)
  }

  /// A block that cannot be is a number that means something else: memory behind the buffers is nobody's to write.
  @Test func absurdBlocksWriteNothing() throws {
    let stream = try Self.started(try Tiny.package(), .init(seed: 3), depth: 2)
    let memory = PlanarMemory([[Float]](repeating: [Float](repeating: 7, count: 64), count: 2))
    for frames in [Int.min, -1, stream.largestBlock + 1, 1_000_000_000, .max] {
      #expect(throws: PullError.badBlock) { try stream.pull(into: memory.rows, frames: frames) }
      #expect(throws: PullError.badBlock) { try stream.pull(interleaved: memory.rows[0], frames: frames) }
    }
    #expect(memory.arrays(0..<64).allSatisfy { $0.allSatisfy { $0 == 7 } })
    #expect(stream.metrics.underruns == 0)
  }

  @Test func framesOfWeightsThatAreTooLargeAreCounted() throws {
    let name = "decoder.in.weight"
    let package = try Tiny.package().converted { weight in
      weight.name == name
        ? Weight(name: name, shape: weight.shape, values: weight.floats().map { _ in 3e38 }) : weight
    }
    let stream = try Self.started(package, .init(seed: 3))
    #expect(try stream.music(5000).allSatisfy { $0.allSatisfy(\.isFinite) })
    #expect(stream.metrics.failedFrames > 2)
  }

  @Test func aPromptThatIsRefusedChangesNothing() throws {
    let package = try Tiny.package(styles: ["one", "two"])
    let stream = try RealtimeStream(package, options: .init(seed: 2), threads: 1)
    // Numbers, but no sound: the spectrum is infinite.
    let shout = [Float](repeating: 3e38, count: 9600)
    #expect(throws: GenerationError.self) { try stream.prompt([shout, shout]) }
    #expect(stream.options == .init(seed: 2))
    try stream.start()
    #expect(try stream.music(9000) == reference(package, .init(seed: 2), samples: 9000))
  }

  @Test(arguments: [10_000, Int.max]) func moreThreadsThanProcessorsAreAsManyAsThereAre(threads: Int) throws {
    let package = try Tiny.package()
    let stream = try RealtimeStream(package, options: .init(seed: 5), threads: threads)
    #expect(stream.threads >= 1 && stream.threads <= ProcessInfo.processInfo.activeProcessorCount)
    try stream.start()
    #expect(try stream.music(9000) == reference(package, .init(seed: 5), samples: 9000))
    // A session's budget is its own affair, but never absurd.
    let session = Session(package, threads: threads)
    #expect(session.threads <= 64)
    #expect(Session(package, threads: 0).threads == 1 && Session(package, threads: .min).threads == 1)
  }

  @Test func twoReadersAtOnceAreToldSo() throws {
    let package = try Tiny.package()
    let stream = try Self.started(package, .init(seed: 3), depth: 64)
    let counts = Counts()
    DispatchQueue.concurrentPerform(iterations: 2) { _ in
      let memory = PlanarMemory(channels: 2, capacity: 64)
      for _ in 0..<20_000 {
        do { counts.add(music: try stream.pull(into: memory.rows, frames: 64)) } catch { counts.addRefused() }
      }
    }
    // Nothing was heard twice, and every pull had an outcome.
    #expect(counts.music <= stream.metrics.frames * stream.samplesPerFrame)
    #expect(counts.refused == stream.metrics.refusedPulls)
    #expect(try stream.music(2000)[0].contains { $0 != 0 })
  }

  @Test func controllersMayCallAtOnce() throws {
    let package = try Tiny.package()
    let stream = try Self.started(package, .init(seed: 3))
    DispatchQueue.concurrentPerform(iterations: 4) { index in
      for round in 0..<30 {
        switch index {
        case 0: try? stream.update { $0.temperature = Float(round) / 30 }
        case 1: _ = try? stream.save()
        case 2: try? round % 2 == 0 ? stream.pause() : stream.resume()
        default: _ = try? stream.music(500)
        }
      }
    }
    try stream.resume()
    #expect(stream.options.temperature == Float(29) / 30)
    #expect(try stream.music(5000)[0].allSatisfy(\.isFinite))
  }

  @Test func footprintsAreWhatIsThere() throws {
    let package = try ModelPackage(path: shippedPackage)
    let files = try FileManager.default.subpathsOfDirectory(atPath: shippedPackage).filter {
      $0.hasSuffix(".safetensors")
    }
    let stored = try files.reduce(0) { sum, file in
      let attributes = try FileManager.default.attributesOfItem(atPath: shippedPackage + "/" + file)
      return sum + (attributes[.size] as? Int ?? 0)
    }
    // The files are the weights, headers and the styles' statistics.
    let weights = package.memoryFootprint.total
    #expect(weights <= stored && Double(weights) > 0.95 * Double(stored))
    let session = Session(package, threads: 1)
    // What is made at first use is there then.
    _ = session.next()
    let footprint = session.memoryFootprint
    // Keys and values of 6 layers, 128 positions, 256 wide.
    #expect(footprint.state > 6 * 2 * 128 * 256 * 4 && footprint.weights == 0)
    // It does not grow.
    for _ in 0..<100 { _ = session.next() }
    #expect(session.memoryFootprint == footprint)
    let stream = try RealtimeStream(package, depth: 8, threads: 1)
    try stream.start()
    #expect(stream.waitUntilFull(seconds: 60))
    #expect(stream.metrics.memory.state == footprint.state)
    #expect(stream.metrics.memory.buffers >= footprint.buffers + 8 * 1920 * 2 * 4)
  }
}

/// Counts of several threads.
private final class Counts: Sendable {
  private let counts = Mutex((music: 0, refused: 0))

  var music: Int { counts.withLock { $0.music } }
  var refused: Int { counts.withLock { $0.refused } }
  func add(music: Int) { counts.withLock { $0.music += music } }
  func addRefused() { counts.withLock { $0.refused += 1 } }
}

/// The adapter for tasks.
@Suite struct ChunksTests {
  @Test func asynchronousChunksAreTheSameMusic() async throws {
    let package = try Tiny.package()
    let expected = reference(package, .init(seed: 6), samples: 10_000)
    let stream = try RealtimeStreamTests.started(package, .init(seed: 6))
    var heard: [[Float]] = [[], []]
    for try await chunk in try stream.chunks(of: 1000) {
      for c in 0..<2 { heard[c] += chunk[c] }
      if heard[0].count == 5000 {
        try stream.pause()
        Task {
          try await Task.sleep(nanoseconds: 50_000_000)
          try stream.resume()
        }
      }
      if heard[0].count == 10_000 { stream.stop() }
    }
    #expect(heard == expected)
    #expect(stream.metrics.underruns == 0)
    for frames in [Int.min, 0, stream.largestBlock + 1] {
      #expect(throws: GenerationError.self) { try stream.chunks(of: frames) }
    }
  }

  @Test func cancellingEndsTheSequenceAndNotTheStream() async throws {
    let stream = try RealtimeStreamTests.started(try Tiny.package(), .init(seed: 6))
    let task = Task {
      for try await _ in try stream.chunks() {}
    }
    try await Task.sleep(nanoseconds: 50_000_000)
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(!stream.isStopped)
    #expect(try stream.music(1000).count == 2)
  }
}
