import Foundation
import Legato
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// One measurement of `legato bench`.
struct BenchRun {
  let package: ModelPackage
  let name: String
  let steps: Int?
  let sessions: Int
  let threads: Int
  let rounds: Int
  /// Seconds to listen at each depth of the ring.
  let listening: Double

  private static let positions = 256
  /// Larger than any cache of today's processors.
  private static let sweepByteCount = 512 << 20

  func report(weights: WeightPrecision?, isPreset: Bool) throws -> BenchReport {
    let (memory, footprint) = memory()
    let firstAudio = try self.firstAudio(prompt: nil)
    let firstAudioAfterPrompt = try self.firstAudio(prompt: 10)
    let (prefill, encode) = (try self.prefill(), try self.encode())
    let listened =
      listening > 0 && sessions == 1
      ? try BenchListening.measure(package, options: options(seed: 0), threads: threads, seconds: listening)
      : []
    let group = SessionGroup(package, capacity: sessions, threads: threads)
    let players = try (0..<sessions).map { try group.join(options(seed: UInt64($0))) }
    // The first frames record plans and touch memory for the first time.
    for _ in 0..<3 { _ = group.measuredFrame(players) }
    let start = players.map { $0.save() }

    let traffic = BenchTraffic(
      package, steps: options(seed: 0).steps, positions: Self.positions, sessions: sessions)
    let plain = group.cacheSweep(byteCount: max(1 << 20, traffic.perFrame))
    let sweep = group.cacheSweep(byteCount: Self.sweepByteCount)
    var (warm, cold, bandwidths) = ([BenchTimes](), [BenchTimes](), [Double]())
    for _ in 0..<rounds {
      for isCold in [false, true] {
        for (player, snapshot) in zip(players, start) { try player.restore(snapshot) }
        var frames: [FrameTimes] = []
        for position in 0..<Self.positions {
          if isCold { sweep.run() }
          frames.append(group.measuredFrame(players))
          // Among the frames, since what memory gives to a virtual machine changes from one moment to the next.
          if isCold, position % 8 == 0 {
            sweep.run()
            bandwidths.append(Double(plain.byteCount) / Self.seconds { plain.run() })
          }
        }
        if isCold { cold.append(BenchTimes(frames)) } else { warm.append(BenchTimes(frames)) }
      }
    }
    let bandwidth = Self.median(bandwidths)
    let (warmTimes, coldTimes) = (BenchTimes.median(warm), BenchTimes.median(cold))
    let worst = max(warmTimes.model, coldTimes.model)
    return BenchReport(
      preset: isPreset ? name : nil, package: isPreset ? nil : name, weights: weights?.rawValue,
      steps: options(seed: 0).steps, threads: group.threads, sessions: sessions,
      instructionSet: group.instructionSet, parameters: .init(package), bandwidth: bandwidth,
      bytes: traffic, warm: warmTimes, cold: coldTimes,
      limit: worst / (Double(traffic.perFrame) / bandwidth),
      realTimeFactor: 1 / package.codec.codec.frameRate / max(warmTimes.frame, coldTimes.frame),
      prefill: prefill, encode: encode, firstAudio: firstAudio, firstAudioAfterPrompt: firstAudioAfterPrompt,
      memory: memory, footprint: footprint.total, weightBytes: package.memoryFootprint.weights,
      listening: listened)
  }

  func options(seed: UInt64) -> GenerationOptions {
    var options = package.options(seed: seed)
    if let steps { options.steps = steps }
    return options
  }

  /// What the process takes while the first session plays, and what the model takes of that with its state and buffers.
  private func memory() -> (Int, MemoryFootprint) {
    let session = Session(package, options: options(seed: 0), threads: threads)
    for _ in 0..<8 { _ = session.next() }
    var footprint = session.memoryFootprint
    footprint.weights += package.memoryFootprint.weights
    return withExtendedLifetime(session) { (MemoryUse.resident, footprint) }
  }

  /// Seconds from a loaded package to the first samples of a session, with a prompt of so many seconds.
  private func firstAudio(prompt seconds: Double?) throws -> Double {
    let codec = package.codec.codec
    let noise = seconds.map { seconds in
      (0..<codec.channels).map { channel in
        RandomStream(seed: 1, stream: UInt64(channel)).normal(Int(seconds * Double(codec.sampleRate)))
          .map { 0.1 * $0 }
      }
    }
    return Self.median(
      try (0..<rounds).map { _ in
        try Self.seconds {
          let session = Session(package, options: options(seed: 0), threads: threads)
          if let noise { try session.prompt(noise) }
          _ = session.next()
        }
      })
  }

  /// Seconds that the backbone of a new session needs for a prompt of 250 latents, in a group that has read one before.
  private func prefill() throws -> Double {
    let group = SessionGroup(package, capacity: 1, threads: threads)
    let times = try (0...rounds).map { _ in
      let session = try group.join(options(seed: 0))
      return try Self.seconds { try group.readLatents(250, session: session) }
    }
    return Self.median(Array(times.dropFirst()))
  }

  /// Seconds that the codec needs to encode ten seconds of sound.
  private func encode() throws -> Double {
    let codec = package.codec.codec
    let engine = CPUEngine(threads: threads)
    let frames = Int((10 * codec.frameRate).rounded())
    let block = 8 * codec.channels * codec.samplesPerFrame
    let samples = RandomStream(seed: 1, stream: 0).uniform(block)
    let encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    let times = (0...rounds).map { _ in
      Self.seconds {
        samples.withUnsafeBufferPointer { for _ in 0..<(frames + 7) / 8 { _ = encoder.step($0) } }
      }
    }
    return Self.median(Array(times.dropFirst()))
  }

  private static func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let duration = try clock.measure(body)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? .nan : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}

/// Bytes that a frame of some sessions reads from memory.
struct BenchTraffic: Encodable {
  /// With a mixture's parameters, which are a part of its plan.
  var backbone: Int
  /// Modulations as often as they are computed, the rest as often as the network is evaluated.
  var sampler: Int
  var codec: Int
  /// Keys and values, mean over the positions measured.
  var cache: Int

  /// What the model reads, the codec apart.
  var perFrame: Int { backbone + sampler + cache }

  init(_ package: ModelPackage, steps: Int, positions: Int, sessions: Int) {
    let weights = package.model.weights
    func bytes(_ holds: (String) -> Bool) -> Int {
      weights.filter { holds($0.name) }.reduce(0) { $0 + $1.byteCount }
    }
    backbone = bytes { $0.hasPrefix("backbone.") }
    let once = bytes {
      $0.hasPrefix("sampler.") && ($0.contains("modulation") || $0.contains("condition"))
    }
    func isTime(_ name: String) -> Bool {
      ["sampler.time.", "sampler.span."].contains { name.hasPrefix($0) }
    }
    let repeated = bytes {
      $0.hasPrefix("sampler.") && !$0.contains("modulation") && !$0.contains("condition") && !isTime($0)
    }
    let atOnce = max(1, SessionGroup.mostModulations / sessions)
    let times = bytes(isTime)
    if package.model.sampler.network == nil {
      (backbone, sampler) = (backbone + repeated, 0)
    } else {
      sampler =
        once * ((steps + atOnce - 1) / atOnce) + steps * repeated
        + (steps > SessionGroup.mostModulations ? (steps + atOnce - 1) / atOnce * times : 0)
    }
    codec = package.codec.codec.weights.filter { $0.name.hasPrefix("decoder.") }.reduce(0) {
      $0 + $1.byteCount
    }
    let read = (0..<positions).reduce(0) { $0 + package.model.backbone.cacheBytes(at: $1) }
    cache = sessions * read / positions
  }
}

/// Seconds a frame, by stage.
struct BenchTimes: Encodable {
  var backbone: Double
  var sampler: Double
  var codec: Double
  var frame: Double
  var model: Double { backbone + sampler }

  init(backbone: Double, sampler: Double, codec: Double) {
    (self.backbone, self.sampler, self.codec) = (backbone, sampler, codec)
    frame = backbone + sampler + codec
  }

  /// The mean of some frames.
  init(_ frames: [FrameTimes]) {
    func mean(_ stage: (FrameTimes) -> UInt64) -> Double {
      frames.reduce(0) { $0 + Double(stage($1)) } * 1e-9 / Double(max(1, frames.count))
    }
    self.init(backbone: mean(\.backbone), sampler: mean(\.sampler), codec: mean(\.codec))
  }

  static func median(_ rounds: [BenchTimes]) -> BenchTimes {
    BenchTimes(
      backbone: BenchRun.median(rounds.map(\.backbone)), sampler: BenchRun.median(rounds.map(\.sampler)),
      codec: BenchRun.median(rounds.map(\.codec)))
  }
}
