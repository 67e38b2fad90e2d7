import LegatoCodecs
import LegatoModels
import LegatoTensor
import Synchronization

/// One endless piece of music from a package.
///
/// ```swift
/// let package = try ModelPackage(path: "Models/legato-first")
/// let session = Session(package, options: package.options(seed: 7))
/// for try await chunk in session.stream(seconds: 30) { play(chunk.channels) }
/// ```
/// A session belongs to one thread or task at a time: a second one that calls it meanwhile ends the process with a
/// message that says so. Any number of sessions share a package. Options may change
/// while it plays and are heard from the next frame on, plus the codec's delay. For an audio callback, and for
/// several threads, there is ``RealtimeStream``.
public final class Session {
  public let package: ModelPackage
  public let latents: LatentStream
  private let decoder: any StreamingDecoder
  let decoderState: StreamState
  let engine: CPUEngine
  /// Samples still to be dropped: the decoder lags by its delay.
  private var pending: Int
  /// Index of the latent that the last frame was made from.
  private(set) var lastFrame = 0
  /// Whether a call is under way.
  private let inUse = Atomic<Bool>(false)

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

  /// - Parameters:
  ///   - options: nil for ``ModelPackage/options(seed:)`` of seed 0.
  ///   - threads: the session's thread budget, the caller's thread included; nil for one a core, at most 4. Fewer
  ///     than 1 count as 1, more than 64 as 64.
  public init(_ package: ModelPackage, options: GenerationOptions? = nil, threads: Int? = nil) {
    self.package = package
    engine = CPUEngine(threads: threads)
    let codec = package.codec.codec
    latents = LatentStream(
      model: package.model, engine: engine,
      options: options ?? package.options())
    decoderState = StreamState(engine: engine)
    decoder = codec.makeDecoder(engine: engine, stream: decoderState)
    pending = codec.delay
  }

  /// "avx512", "avx2", "neon", "scalar".
  public var instructionSet: String { engine.instructionSet }
  public var threads: Int { engine.threads }

  /// Makes the music continue a recording: planar samples in ±1 at the session's rate and channel count.
  ///
  /// Only as much of its end is encoded as attention can reach. Call it before the first chunk. The style becomes the one
  /// of the package's that the recording is likest, unless `keepsStyle`.
  /// Throws ``GenerationError`` where rate, channels or length do not fit.
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
    let encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    var block = [Float](repeating: 0, count: channels * codec.samplesPerFrame)
    var encoded: [Float] = []
    // The newest whole frames: what is cut off is the beginning.
    let offset = length - frames * codec.samplesPerFrame
    for frame in 0..<frames {
      let first = offset + frame * codec.samplesPerFrame
      for channel in 0..<channels {
        for index in 0..<codec.samplesPerFrame {
          block[channel * codec.samplesPerFrame + index] = audio[channel][first + index]
        }
      }
      block.withUnsafeBufferPointer { encoded += encoder.step($0) }
    }
    if !keepsStyle, !package.styles.isEmpty {
      latents.options.style = .nearest(to: encoded, among: package.styles)
    }
    let dimension = codec.latentDimension
    try encoded.withUnsafeBufferPointer { all in
      for frame in 0..<frames {
        let latent = UnsafeBufferPointer(rebasing: all[frame * dimension..<(frame + 1) * dimension])
        try latents.feed(latent)
        // The decoder hears the prompt too, so that its state fits what follows.
        _ = decoder.step(latent)
      }
    }
    pending = max(0, pending - frames * codec.samplesPerFrame)
  }

  /// The next chunk: one frame of samples, except that the first are shorter by the codec's delay.
  public func next() -> AudioChunk {
    exclusively {
      let (samples, skipped) = step()
      let length = samplesPerFrame
      return AudioChunk(
        channels: (0..<channels).map { Array(samples[($0 * length + skipped)..<(($0 + 1) * length)]) },
        sampleRate: sampleRate, frame: lastFrame)
    }
  }

  /// What ``next()`` gives, into memory of the caller's, with no allocation and no lock.
  ///
  /// - Parameter output: a pointer for each channel, each to room for ``samplesPerFrame`` samples.
  /// - Returns: how many samples were written to each.
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
      lastFrame = latents.position
      let samples = decoder.step(latents.next())
      let skipped = min(pending, samplesPerFrame)
      pending -= skipped
      if skipped < samplesPerFrame { return (samples, skipped) }
    }
  }

  /// Two threads in one session would mix its state: a programmer's mistake, which ends here and not in noise.
  private func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard inUse.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      fatalError(
        "a Session was called while another thread was using it; give each thread a session of its own, or use a RealtimeStream"
      )
    }
    defer { inUse.store(false, ordering: .releasing) }
    return try body()
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
        codecHash: package.codec.hash, latents: latents.save(), decoder: decoderState.save(), pending: pending
      )
    }
  }

  /// Throws ``GenerationError`` where the snapshot belongs to another package.
  public func restore(_ snapshot: Snapshot) throws {
    try exclusively {
      guard snapshot.codecHash == package.codec.hash, snapshot.decoder.count == decoderState.byteCount else {
        throw GenerationError("the saved state belongs to another codec")
      }
      try latents.restore(snapshot.latents)
      _ = decoderState.restore(snapshot.decoder)
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
