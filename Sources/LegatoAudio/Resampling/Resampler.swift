/// Changes the sample rate with libsoxr at its very high quality (VHQ, linear phase).
///
/// Feed chunks to ``process(_:)`` and take what comes, then take the rest from ``finish()``. Input and output
/// start at the same instant; the result does not depend on how the input is cut into chunks.
public final class Resampler {
  /// Input rate in Hz.
  public let inputRate: Int
  /// Output rate in Hz.
  public let outputRate: Int
  /// Number of channels.
  public let channels: Int

  private let library: SoxrLibrary
  private let handle: OpaquePointer
  private var framesIn = 0
  private var framesOut = 0
  private var finished = false

  /// Throws ``AudioError/libraryMissing(name:install:)`` without libsoxr, or
  /// ``AudioError/resampling(reason:)``.
  public convenience init(from inputRate: Int, to outputRate: Int, channels: Int) throws {
    try self.init(
      from: inputRate, to: outputRate, channels: channels, library: SoxrLibrary.shared.get())
  }

  init(from inputRate: Int, to outputRate: Int, channels: Int, library: SoxrLibrary) throws {
    guard inputRate > 0, outputRate > 0, channels > 0 else {
      throw AudioError.resampling(
        reason: "from \(inputRate) Hz to \(outputRate) Hz in \(channels) channels; all must be positive")
    }
    self.inputRate = inputRate
    self.outputRate = outputRate
    self.channels = channels
    self.library = library
    var error: UnsafePointer<CChar>?
    var format = SoxrLibrary.IOSpec()
    var quality = SoxrLibrary.QualitySpec()
    let handle = withUnsafeBytes(of: &format) { format in
      withUnsafeBytes(of: &quality) { quality in
        library.create(
          Double(inputRate), Double(outputRate), UInt32(channels), &error, format.baseAddress,
          quality.baseAddress, nil)
      }
    }
    guard let handle, error == nil else {
      if let handle { library.delete(handle) }
      throw AudioError.resampling(reason: error.map { String(cString: $0) } ?? "libsoxr refused")
    }
    self.handle = handle
  }

  deinit { library.delete(handle) }

  /// Takes planar frames `[channel][frame]` and returns the output that is ready, planar, possibly empty.
  /// Traps after ``finish()``, and where the channels are not those of the resampler or not of one length.
  public func process(_ chunk: [[Float]]) throws -> [[Float]] {
    precondition(!finished, "Resampler.process: called after finish()")
    precondition(
      chunk.count == channels && chunk.allSatisfy { $0.count == chunk[0].count },
      "Resampler.process: \(chunk.count) channels of \(chunk.map(\.count)) frames, \(channels) channels wanted"
    )
    let frames = chunk[0].count
    if frames == 0 { return Array(repeating: [], count: channels) }
    let interleaved = [Float](unsafeUninitializedCapacity: frames * channels) { buffer, filled in
      for (channel, samples) in chunk.enumerated() {
        for frame in 0..<frames { buffer[frame * channels + channel] = samples[frame] }
      }
      filled = frames * channels
    }
    framesIn += frames
    return planar(try run(interleaved))
  }

  /// The rest of the output. In all, `round(frames · outputRate / inputRate)` frames come out. A second time
  /// traps.
  public func finish() throws -> [[Float]] {
    precondition(!finished, "Resampler.finish: called twice")
    finished = true
    let total = Self.outputFrames(framesIn, from: inputRate, to: outputRate)
    let before = framesOut
    var rest = framesIn == 0 ? [] : try run(nil)
    let wanted = max(0, total - before) * channels
    if rest.count > wanted {
      rest.removeLast(rest.count - wanted)
    } else {
      rest += [Float](repeating: 0, count: wanted - rest.count)
    }
    return planar(rest)
  }

  /// Frames that `frames` of input become.
  public static func outputFrames(_ frames: Int, from inputRate: Int, to outputRate: Int) -> Int {
    Int((Double(frames) * Double(outputRate) / Double(inputRate)).rounded())
  }

  /// Pushes interleaved input, or the end of input for nil, and collects interleaved output.
  private func run(_ input: [Float]?) throws -> [Float] {
    var output: [Float] = []
    var consumed = 0
    let total = input.map { $0.count / channels } ?? 0
    let room = max(4096, Self.outputFrames(total, from: inputRate, to: outputRate) + 64)
    while true {
      var read = 0
      var written = 0
      var failure: UnsafePointer<CChar>?
      let block = [Float](unsafeUninitializedCapacity: room * channels) { buffer, filled in
        if let input {
          failure = input.withUnsafeBufferPointer { input in
            library.process(
              handle, input.baseAddress?.advanced(by: consumed * channels), total - consumed, &read,
              buffer.baseAddress, room, &written)
          }
        } else {
          failure = library.process(handle, nil, 0, nil, buffer.baseAddress, room, &written)
        }
        filled = written * channels
      }
      if let failure { throw AudioError.resampling(reason: String(cString: failure)) }
      if output.isEmpty { output = block } else { output += block }
      consumed += read
      if consumed >= total, written < room { break }
    }
    framesOut += output.count / channels
    return output
  }

  private func planar(_ interleaved: [Float]) -> [[Float]] {
    let frames = interleaved.count / channels
    return (0..<channels).map { channel in
      [Float](unsafeUninitializedCapacity: frames) { buffer, filled in
        for frame in 0..<frames { buffer[frame] = interleaved[frame * channels + channel] }
        filled = frames
      }
    }
  }
}

extension AudioBuffer {
  /// The same sound at another sample rate; itself when the rate is already right.
  ///
  /// Throws ``AudioError/libraryMissing(name:install:)`` without libsoxr.
  public func resampled(to rate: Int) throws -> AudioBuffer {
    if rate == sampleRate { return self }
    let resampler = try Resampler(from: sampleRate, to: rate, channels: max(1, channelCount))
    if frameCount == 0 { return AudioBuffer(sampleRate: rate, channels: channels) }
    let body = try resampler.process(channels)
    let tail = try resampler.finish()
    return AudioBuffer(sampleRate: rate, channels: zip(body, tail).map { $0 + $1 })
  }
}
