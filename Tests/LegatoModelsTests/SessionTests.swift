import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import Testing

@testable import Legato

@Suite struct SessionTests {
  private static let shippedPath = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Models/legato-first")
    .path

  /// A tiny random package: it makes noise, but every part of generation runs.
  static func package(
    seed: UInt64 = 2, codecSeed: UInt64 = 1, sampler: SamplerKind = .flow
  ) throws -> ModelPackage {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("legato-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let codecConfiguration = try #require(SpectralCodecConfiguration.preset("tiny"))
    let codec = try SpectralCodec(codecConfiguration, weights: RandomWeights(seed: codecSeed))
    try CodecPackage.write(
      to: folder + "/codec",
      configuration: .init(name: "tiny", licence: "Apache-2.0", codec: codecConfiguration),
      weights: codec.weights, format: nil, card: "")
    var configuration = try #require(ContinuousModelConfiguration.preset("tiny"))
    configuration.backbone.window = 8
    configuration.sampler.kind = sampler
    let model = try ContinuousModel(configuration, weights: RandomWeights(seed: seed, everywhere: 0.02))
    try ModelPackage.write(
      to: folder + "/model", configuration: .init(name: "tiny", licence: "Apache-2.0", model: configuration),
      weights: model.weights, format: .bfloat16, codec: CodecPackage(path: folder + "/codec"), card: "a card")
    return try ModelPackage(path: folder + "/model")
  }

  static func render(_ session: Session, seconds: Double) -> [[Float]] {
    let source = ChunkSource(session, seconds: seconds)
    var channels = [[Float]](repeating: [], count: session.channels)
    while let chunk = source.next() { for c in channels.indices { channels[c] += chunk.channels[c] } }
    return channels
  }

  static func isFinite(_ chunk: AudioChunk) -> Bool {
    chunk.channels.allSatisfy { $0.allSatisfy(\.isFinite) }
  }

  @Test func sameSeedSameBytesAtAnyThreadCount() throws {
    let package = try Self.package()
    let one = Self.render(Session(package, options: .init(seed: 7), threads: 1), seconds: 2)
    let two = Self.render(Session(package, options: .init(seed: 7), threads: 2), seconds: 2)
    let three = Self.render(Session(package, options: .init(seed: 7), threads: 3), seconds: 2)
    #expect(one == two)
    #expect(one == three)
    #expect(one[0].count == 96_000)
    let loudest = one.joined().reduce(0) { max($0, abs($1)) }
    #expect(loudest <= 1)
    #expect(one != Self.render(Session(package, options: .init(seed: 8), threads: 1), seconds: 2))
  }

  @Test func theShippedPackageGivesTheSameBytesAtAnyThreadCount() throws {
    // Large enough that every product is divided among the threads; the tiny one's are not.
    let package = try ModelPackage(path: Self.shippedPath)
    let one = Self.render(Session(package, options: .init(seed: 7), threads: 1), seconds: 1)
    for threads in [2, 3, 5] {
      #expect(one == Self.render(Session(package, options: .init(seed: 7), threads: threads), seconds: 1))
    }
  }

  @Test func renderingIntoMemoryGivesTheSameChunks() throws {
    let package = try Self.package()
    let (a, b) = (
      Session(package, options: .init(seed: 1), threads: 1),
      Session(package, options: .init(seed: 1), threads: 1)
    )
    let memory = PlanarMemory(channels: 2, capacity: b.samplesPerFrame)
    for index in 0..<10 {
      let length = b.render(into: memory.rows)
      // The first is shorter by the codec's delay.
      #expect(length == b.samplesPerFrame - (index == 0 ? package.codec.codec.delay : 0))
      #expect(a.next().channels == memory.arrays(0..<length))
    }
  }

  #if compiler(>=6.2)
    @Test func twoThreadsInOneSessionEndWithAMessage() async throws {
      let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        // What the compiler would not let through.
        nonisolated(unsafe) let session = Session(try SessionTests.package(), threads: 1)
        DispatchQueue.concurrentPerform(iterations: 2) { _ in for _ in 0..<5000 { _ = session.next() } }
      }
      let message = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
      #expect(message.contains("a Session was called while another thread was using it"), "\(message)")
    }

    @Test func twoThreadsInOneGroupEndWithAMessage() async throws {
      let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let group = SessionGroup(try SessionTests.package(), capacity: 2, threads: 1)
        nonisolated(unsafe) let sessions = try [group.join(), group.join()]
        DispatchQueue.concurrentPerform(iterations: 2) { index in
          for _ in 0..<5000 { _ = sessions[index].next() }
        }
      }
      let message = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
      #expect(message.contains("another thread was using it or one of its group"), "\(message)")
    }

    @Test func aSessionThatIsThereTwiceEndsWithAMessage() async throws {
      await #expect(processExitsWith: .failure) {
        let group = SessionGroup(try SessionTests.package(), capacity: 2, threads: 1)
        let session = try group.join()
        _ = group.next([session, session])
      }
    }
  #endif

  @Test func sessionsAreIndependent() throws {
    let package = try Self.package()
    let (a, b) = (
      Session(package, options: .init(seed: 1), threads: 1),
      Session(package, options: .init(seed: 2), threads: 1)
    )
    var (mixedA, mixedB): ([Float], [Float]) = ([], [])
    for _ in 0..<20 {
      mixedA += a.next().channels[0]
      mixedB += b.next().channels[0]
    }
    let alone = Session(package, options: .init(seed: 1), threads: 1)
    var alonely: [Float] = []
    for _ in 0..<20 { alonely += alone.next().channels[0] }
    #expect(mixedA == alonely)
    #expect(mixedA != mixedB)
  }

  /// A stream's keys and values take half the memory where weights are int8 or int4, and nowhere else.
  @Test(arguments: [(WeightPrecision.bfloat16, 1), (.int8, 2), (.int4, 2)])
  func roundedWeightsHaveARoundedCache(_ precision: WeightPrecision, _ part: Int) throws {
    let package = try ModelPackage(path: Self.shippedPath)
    let other = try package.converted { $0.converted(to: precision.format(of: $0)) }
    let (bytes, rounded) = (
      package.model.backbone.cacheBytes(at: 0), other.model.backbone.cacheBytes(at: 0)
    )
    let sizes = package.model.configuration.backbone
    #expect(bytes == 2 * 4 * sizes.layers * sizes.width && rounded * part == bytes)
    let positions = sizes.window + ModelRunner.mostBack
    #expect(
      Session(package, threads: 1).memoryFootprint.state - Session(other, threads: 1).memoryFootprint.state
        == positions * (bytes - rounded))
  }

  @Test(arguments: SamplerKind.allCases) func saveAndRestoreGoOnBitForBit(_ sampler: SamplerKind) throws {
    let package = try Self.package(sampler: sampler)
    let session = Session(package, options: .init(seed: 3), threads: 1)
    for _ in 0..<15 { _ = session.next() }
    let saved = session.save()
    let expected = (0..<10).map { _ in session.next().channels }
    try session.restore(saved)
    #expect((0..<10).map { _ in session.next().channels } == expected)
    let other = Session(package, options: .init(seed: 3), threads: 2)
    try other.restore(saved)
    #expect((0..<10).map { _ in other.next().channels } == expected)
  }

  @Test func aStateOfAnotherPackageIsRefused() throws {
    let session = Session(try Self.package(), options: .init(seed: 3), threads: 1)
    for _ in 0..<3 { _ = session.next() }
    let saved = session.save()
    // Of equal sizes, so that only the weights tell.
    for other in [try Self.package(seed: 5), try Self.package(codecSeed: 6)] {
      let theirs = Session(other, options: .init(seed: 3), threads: 1)
      #expect(throws: GenerationError.self) { try theirs.restore(saved) }
      // Nothing of it was taken over.
      let fresh = Session(other, options: .init(seed: 3), threads: 1)
      #expect((0..<3).map { _ in theirs.next().channels } == (0..<3).map { _ in fresh.next().channels })
    }
    // The same package loaded once more is the same package.
    try Session(try Self.package(), threads: 1).restore(saved)
  }

  /// Positions are 32 bits wide in plans; a state that claims more would be one that points anywhere.
  @Test func positionsEndBeforeTheirBitsDo() throws {
    let session = Session(try Self.package(), options: .init(seed: 3), threads: 1)
    for _ in 0..<12 { _ = session.next() }
    var saved = session.save()
    for position in [Int.min, -1, LatentStream.mostPositions + 1, 1 << 31, 1 << 39, .max] {
      saved.latents.position = position
      #expect(throws: GenerationError.self) { try session.restore(saved) }
    }
    saved.latents.position = LatentStream.mostPositions - 2
    try session.restore(saved)
    let positions = (0..<4).map { _ in
      #expect(Self.isFinite(session.next()))
      return session.latents.position
    }
    #expect(positions == [LatentStream.mostPositions - 1, LatentStream.mostPositions, 1, 2])
  }

  @Test func optionsChangeWhileItPlays() throws {
    // Replaying plans must follow live parameters, across eviction: a window is 8 frames here.
    let package = try Self.package()
    let (a, b) = (
      Session(package, options: .init(seed: 4), threads: 1),
      Session(package, options: .init(seed: 4), threads: 1)
    )
    for _ in 0..<12 { #expect(a.next().channels == b.next().channels) }
    b.options.temperature = 0.3
    b.options.steps = 3
    b.options.contextNoise = 0.3
    let (changedA, changedB) = (
      (0..<4).map { _ in a.next().channels }, (0..<4).map { _ in b.next().channels }
    )
    #expect(changedA != changedB)
  }

  @Test func aPromptMustFit() throws {
    let package = try Self.package()
    let session = Session(package, threads: 1)
    #expect(throws: GenerationError.self) { try session.prompt([[0, 0]]) }
    #expect(throws: GenerationError.self) { try session.prompt([[0], [0]]) }
    let nan = [Float](repeating: .nan, count: 9600)
    #expect(throws: GenerationError.self) { try session.prompt([nan, nan]) }
    let tone = (0..<48_000).map { Float($0 % 100) / 100 - 0.5 }
    try session.prompt([tone, tone])
    // 25 frames, of which two layers with windows of 8 reach back 16.
    #expect(session.latents.position == 16)
    #expect(Self.isFinite(session.next()))
  }

  @Test func aBadLatentIsCountedAndOvercome() throws {
    let package = try Self.package()
    let session = Session(package, options: .init(seed: 5), threads: 1)
    for _ in 0..<5 { _ = session.next() }
    // Noise far outside of what a model sees makes latents run away.
    session.options.temperature = 10
    session.options.steps = 1
    for _ in 0..<30 { #expect(Self.isFinite(session.next())) }
    #expect(session.latents.recoveries > 0)
    session.options = .init(seed: 5)
    for _ in 0..<5 { #expect(Self.isFinite(session.next())) }
  }

  @Test func whatIsOutOfRangeIsHeldWithinIt() throws {
    let package = try Self.package()
    var wild = GenerationOptions(seed: 4)
    (wild.temperature, wild.steps, wild.contextNoise, wild.feedbackGain) = (.nan, -3, 7, -.infinity)
    let session = Session(package, options: wild, threads: 1)
    #expect(session.options == wild.held && session.options.problem == nil)
    let held = session.options
    #expect((held.temperature, held.steps) == (1, 1) && (held.contextNoise, held.feedbackGain) == (1, 0.5))
    #expect(Self.isFinite(session.next()))
    for steps in [1_000_000_000, Int.max] {
      session.options.steps = steps
      #expect(session.options.steps == 1000)
    }
    #expect(Self.isFinite(session.next()))
    #expect(GenerationOptions(seed: 4).held == .init(seed: 4))
  }

  @Test(arguments: [
    (Double.nan, 0), (-1, 0), (-.infinity, 0), (0, 0), (1e-9, 0), (0.00002, 1), (0.01, 480), (1e300, nil),
    (.infinity, nil),
  ]) func everyLengthHasAMeaning(seconds: Double, samples: Int?) throws {
    let source = ChunkSource(Session(try Self.package(), threads: 1), seconds: seconds)
    var made = 0
    for _ in 0..<4 { made += source.next()?.channels[0].count ?? 0 }
    if let samples { #expect(made == samples && source.next() == nil) } else { #expect(made > 5000) }
  }

  @Test func aSessionGoesOnAfterItsStreamWasCancelled() async throws {
    let package = try Self.package()
    // It goes from task to task, never in two at a time.
    nonisolated(unsafe) let session = Session(package, options: .init(seed: 6), threads: 1)
    let task = Task {
      for try await _ in session.stream() {}
    }
    try await Task.sleep(nanoseconds: 30_000_000)
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(Self.isFinite(session.next()))
  }

  /// Weights that are numbers, but far too large: latents that cannot be drawn, and samples that are none, are counted.
  @Test func weightsThatAreTooLargeAreCounted() throws {
    let package = try Self.package()
    func large(_ name: String) throws -> ModelPackage {
      try package.converted { weight in
        weight.name == name
          ? Weight(name: name, shape: weight.shape, values: weight.floats().map { _ in 3e38 }) : weight
      }
    }
    let session = Session(try large("sampler.out.weight"), threads: 1)
    let source = ChunkSource(session)
    for _ in 0..<3 { #expect(try #require(source.next()).channels.allSatisfy { $0.allSatisfy(\.isFinite) }) }
    #expect(session.latents.failures >= 3 && source.failedFrames >= 3)
    let codec = ChunkSource(Session(try large("decoder.in.weight"), threads: 1))
    for _ in 0..<3 { #expect(try #require(codec.next()).channels.allSatisfy { $0.allSatisfy(\.isFinite) }) }
    #expect(codec.failedFrames >= 3 && codec.session.latents.failures == 0)
  }

  @Test func theAsynchronousStreamIsTheSameMusic() async throws {
    let package = try Self.package()
    let expected = Self.render(Session(package, options: .init(seed: 6), threads: 1), seconds: 1)
    var heard = [[Float]](repeating: [], count: 2)
    let session = Session(package, options: .init(seed: 6), threads: 1)
    for try await chunk in session.stream(seconds: 1) { for c in 0..<2 { heard[c] += chunk.channels[c] } }
    #expect(heard == expected)
  }

  @Test func endsFadeAndNothingClicks() throws {
    let package = try Self.package()
    let sound = Self.render(Session(package, options: .init(seed: 9), threads: 1), seconds: 3)
    for channel in sound {
      #expect(abs(channel[0]) < 1e-3)
      #expect(abs(channel[channel.count - 1]) < 1e-3)
    }
  }
}
