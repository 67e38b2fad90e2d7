import LegatoCodecs
import LegatoModels
import LegatoTensor

/// One endless piece of music from a package.
///
/// ```swift
/// let package = try ModelPackage(path: "Models/legato-first")
/// let session = Session(package, options: package.options(seed: 7))
/// for try await chunk in session.stream(seconds: 30) { play(chunk.channels) }
/// ```
/// A session belongs to one thread or task at a time: a second one that calls it meanwhile ends the process with a
/// message that says so. Any number of sessions share a package, and those of a ``SessionGroup`` make their frames together. Options
/// may change while it plays and are heard from the next frame on, plus the codec's delay. For an audio callback, and for
/// several threads, there is ``RealtimeStream``.
public final class Session {
  public let package: ModelPackage
  public let latents: LatentStream
  let group: SessionGroup
  let slot: Int
  private let slots: [Int32]
  /// Samples still to be dropped: the decoder lags by its delay, and codes by theirs.
  private var pending = 0
  /// Index of the latent that the last frame was made from.
  private(set) var lastFrame = 0

  /// What is out of its range is held within it (``GenerationOptions/held``).
  public var options: GenerationOptions {
    get { latents.options }
    set { exclusively { latents.options = newValue } }
  }

  /// Sets options without allocation.
  func take(_ options: GenerationOptions, prepared: LatentStream.PreparedStyle) {
    exclusively { latents.take(options, prepared: prepared) }
  }

  public var sampleRate: Int { package.codec.codec.sampleRate }
  public var channels: Int { package.codec.codec.channels }
  /// Samples of one frame, in each channel.
  public var samplesPerFrame: Int { package.codec.codec.samplesPerFrame }
  /// Samples before the first that is heard.
  var leadSamples: Int { package.codec.codec.delay + latents.delay * samplesPerFrame }
  var engine: CPUEngine { group.engine }
  var decoderState: StreamState { group.decoderState }

  /// A session with threads of its own. Traps where the system has no memory for its state, as Swift does for its own.
  /// - Parameters:
  ///   - options: nil for ``ModelPackage/options(seed:)`` of seed 0.
  ///   - threads: the session's thread budget, the caller's thread included; nil for one a core, at most 4. Fewer
  ///     than 1 count as 1, more than 64 as 64.
  public convenience init(_ package: ModelPackage, options: GenerationOptions? = nil, threads: Int? = nil) {
    let group = SessionGroup(package, capacity: 1, threads: threads)
    self.init(group: group, slot: group.runner.takeSlot() ?? 0, options: options ?? package.options())
  }

  /// A session in a slot of a group, which it owns from now on.
  init(group: SessionGroup, slot: Int, options: GenerationOptions) {
    self.group = group
    self.slot = slot
    package = group.package
    slots = [Int32(slot)]
    latents = LatentStream(runner: group.runner, slot: slot, options: options)
    group.decoderState.touch(slot: slot)
    group.decoderState.reset(slot: slot)
    pending = leadSamples
  }

  /// "avx512-bf16", "avx512-vnni", "avx512", "avx2", "neon-dot", "neon", "scalar".
  public var instructionSet: String { group.engine.instructionSet }
  public var threads: Int { group.engine.threads }

  /// Makes the music continue a recording: planar samples in ±1 at the session's rate and channel count.
  ///
  /// Only as much of its end is encoded as attention can reach. Call it before the first chunk. The style becomes the one
  /// of the package's that the recording is likest, unless `keepsStyle`.
  /// Throws ``GenerationError``, and changes nothing, where channels, length or level do not fit.
  public func prompt(_ audio: [[Float]], keepsStyle: Bool = false) throws {
    try exclusively { try take(prompt: audio, keepsStyle: keepsStyle) }
  }

  private func take(prompt audio: [[Float]], keepsStyle: Bool) throws {
    let codec = package.codec.codec
    let length = audio.first?.count ?? 0
    guard audio.count == channels, audio.allSatisfy({ $0.count == length }) else {
      throw GenerationError(
        "a prompt must have \(channels) channels of equal length; this one has \(audio.count)")
    }
    // What is older than all layers' windows together reach back cannot be heard in what follows.
    let backbone = package.model.configuration.backbone
    let frames = min(length / codec.samplesPerFrame, backbone.window * backbone.layers)
    guard frames > 0 else {
      throw GenerationError(
        "a prompt must last at least \(codec.samplesPerFrame) samples; this one has \(length)")
    }
    guard audio.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
      throw GenerationError("the prompt contains NaN or infinite samples")
    }
    // The newest whole frames: what is cut off is the beginning.
    let encoded = encode(audio, from: length - frames * codec.samplesPerFrame, frames: frames)
    try encoded.withUnsafeBufferPointer { try latents.check($0) }
    if !keepsStyle, !package.styles.isEmpty {
      latents.options.style = .nearest(to: encoded, among: package.styles)
    }
    try encoded.withUnsafeBufferPointer { try latents.feed($0) }
    // The decoder hears as much of the prompt as it remembers, so that its state fits what follows.
    let dimension = codec.latentDimension
    encoded.withUnsafeBufferPointer { all in
      for frame in max(0, frames - codec.decoderMemory - 1)..<frames {
        _ = group.decoder.step(all.extracting(frame * dimension..<(frame + 1) * dimension), slots: slots)
      }
    }
    pending = max(0, pending - frames * codec.samplesPerFrame)
  }

  /// Latents of a recording, `[frames, latentDimension]`, from a sample on.
  private func encode(_ audio: [[Float]], from offset: Int, frames: Int) -> [Float] {
    let codec = package.codec.codec
    var encoded: [Float] = []
    encoded.reserveCapacity(frames * codec.latentDimension)
    let stream = StreamState(engine: group.engine)
    // A few frames at a time keep a core busy; the rest follows one by one, on the same state.
    let encoder = codec.makeEncoder(engine: group.engine, stream: stream)
    var done = 0
    while done < frames {
      let count = frames - done >= Self.framesAtOnce ? Self.framesAtOnce : 1
      let samples = count * codec.samplesPerFrame
      var block = [Float]()
      block.reserveCapacity(channels * samples)
      for channel in audio {
        block +=
          channel[offset + done * codec.samplesPerFrame..<offset + done * codec.samplesPerFrame + samples]
      }
      block.withUnsafeBufferPointer { encoded += encoder.step($0) }
      done += count
    }
    return encoded
  }

  private static let framesAtOnce = 8

  /// The next chunk: one frame of samples, except that the first are shorter by the codec's delay.
  public func next() -> AudioChunk {
    exclusively {
      let (samples, skipped) = step()
      return chunk(samples, skipped: skipped)
    }
  }

  /// What ``next()`` gives, into memory of the caller's, with no allocation and no lock.
  ///
  /// - Parameter output: a pointer for each channel, each to room for ``samplesPerFrame`` samples.
  /// - Returns: how many samples were written to each. Traps where the pointers are not as many as the channels.
  public func render(into output: UnsafeBufferPointer<UnsafeMutablePointer<Float>>) -> Int {
    precondition(
      output.count == channels, "Session.render: \(output.count) channels where \(channels) are made")
    return exclusively {
      let (samples, skipped) = step()
      guard let source = samples.baseAddress else { return 0 }
      let length = samplesPerFrame
      for channel in 0..<output.count {
        output[channel].update(from: source + channel * length + skipped, count: length - skipped)
      }
      return length - skipped
    }
  }

  /// The next frame that is not all before the beginning: samples `[channels, samplesPerFrame]`, and how many of each
  /// channel's first are to be dropped.
  private func step() -> (samples: UnsafeBufferPointer<Float>, skipped: Int) {
    while true {
      lastFrame = max(0, latents.position - latents.delay)
      let samples = group.decoder.step(latents.next(), slots: slots)
      let skipped = skip()
      if skipped < samplesPerFrame { return (samples, skipped) }
    }
  }

  /// How many of a new frame's samples are before the beginning.
  private func skip() -> Int {
    let skipped = min(pending, samplesPerFrame)
    pending -= skipped
    return skipped
  }

  private func chunk(_ samples: UnsafeBufferPointer<Float>, skipped: Int) -> AudioChunk {
    let length = samplesPerFrame
    return AudioChunk(
      channels: (0..<channels).map { Array(samples[($0 * length + skipped)..<(($0 + 1) * length)]) },
      sampleRate: sampleRate, frame: lastFrame)
  }

  /// A frame that the group made, `[channels, samplesPerFrame]`, as a chunk.
  func takeFrame(_ samples: UnsafeBufferPointer<Float>, of latent: Int) -> AudioChunk {
    lastFrame = max(0, latent - latents.delay)
    return chunk(samples, skipped: skip())
  }

  private func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
    try group.exclusively(body)
  }

  /// State of a session, to go back to or to go on from later, with the same package.
  public struct Snapshot: Sendable {
    let codecHash: String
    var latents: LatentStream.Snapshot
    var decoder: [UInt8]
    var pending: Int
  }

  public func save() -> Snapshot {
    exclusively {
      Snapshot(
        codecHash: package.codec.hash, latents: latents.save(), decoder: decoderState.save(slot: slot),
        pending: pending)
    }
  }

  /// Throws ``GenerationError`` where the snapshot belongs to another package.
  public func restore(_ snapshot: Snapshot) throws {
    try exclusively {
      guard snapshot.codecHash == package.codec.hash, snapshot.decoder.count == decoderState.byteCount else {
        throw GenerationError("the saved state belongs to another codec")
      }
      try latents.restore(snapshot.latents)
      _ = decoderState.restore(snapshot.decoder, slot: slot)
      pending = snapshot.pending
    }
  }
}

/// A piece of sound: planar samples in ±1.
public struct AudioChunk: Sendable {
  /// `[channels][samples]`.
  public var channels: [[Float]]
  public let sampleRate: Int
  /// Index of the latent that it was made from.
  public let frame: Int
}
