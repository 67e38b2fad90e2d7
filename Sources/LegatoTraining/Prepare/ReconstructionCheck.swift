import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// Measures how well a codec reconstructs recordings, on excerpts spread over them.
struct ReconstructionCheck {
  let options: PrepareOptions
  let codec: CodecPackage

  /// - Parameter frames: latents of each recording.
  /// - Returns: nil where no excerpt is asked for or none can be read again.
  func measure(_ recordings: [Recording], frames: [Int]) -> ReconstructionReport? {
    let coder = codec.codec
    let engine = CPUEngine(threads: min(options.threads, 4))
    let mel = MelDistance(sampleRate: coder.sampleRate)
    var results: [(path: String, mel: Double, stft: Double)] = []
    for (number, second) in excerpts(frames) {
      // What was readable a moment ago and no longer is, is no reason to fail.
      guard let original = try? excerpt(recordings[number].file, at: second),
        let copy = try? CodecRoundTrip.reconstruct(original, with: coder, engine: engine),
        copy.channels.allSatisfy({ $0.allSatisfy(\.isFinite) }),
        let distance = try? mel(reference: original, estimate: copy, engine: engine),
        let stft = try? MultiResolutionSTFTDistance()(reference: original, estimate: copy, engine: engine)
      else { continue }
      results.append((recordings[number].identity.path, distance, stft.total))
    }
    guard let worst = results.max(by: { $0.mel < $1.mel }) else { return nil }
    let count = Double(results.count)
    return ReconstructionReport(
      excerpts: results.count, secondsEach: options.excerptSeconds,
      melDistance: results.reduce(0) { $0 + $1.mel } / count,
      stftDistance: results.reduce(0) { $0 + $1.stft } / count,
      worstPath: worst.path, worstMelDistance: worst.mel,
      codecMelDistance: codec.configuration.heldOutMelDistance,
      requested: "\(options.excerpts) of \(options.excerptSeconds) s")
  }

  /// Recording and second of each excerpt: evenly over the recordings, and within one that is chosen several times.
  private func excerpts(_ frames: [Int]) -> [(recording: Int, second: Double)] {
    var chosen = [Int](repeating: 0, count: frames.count)
    for number in 0..<options.excerpts { chosen[number * frames.count / options.excerpts] += 1 }
    return chosen.enumerated().flatMap { index, wanted -> [(Int, Double)] in
      let seconds = Double(frames[index]) / codec.codec.frameRate
      let count = min(wanted, max(1, Int(seconds / options.excerptSeconds)))
      let room = max(0, seconds - options.excerptSeconds)
      return (0..<count).map { (index, room * (Double($0) + 0.5) / Double(count)) }
    }
  }

  /// Up to the excerpt's length in whole frames, zeros after the recording's end.
  private func excerpt(_ path: String, at second: Double) throws -> AudioBuffer {
    let coder = codec.codec
    let reader = try RecordingReader(path: path, sampleRate: coder.sampleRate, channels: coder.channels)
    try reader.seek(seconds: second)
    let wanted = Int((options.excerptSeconds * coder.frameRate).rounded(.up)) * coder.samplesPerFrame
    var channels = [[Float]](repeating: [], count: coder.channels)
    while channels[0].count < wanted, let block = try reader.next() {
      for channel in channels.indices {
        channels[channel] += block[channel].prefix(wanted - channels[channel].count)
      }
    }
    let partial = channels[0].count % coder.samplesPerFrame
    if partial > 0 {
      for channel in channels.indices {
        channels[channel] += [Float](repeating: 0, count: coder.samplesPerFrame - partial)
      }
    }
    return AudioBuffer(sampleRate: coder.sampleRate, channels: channels)
  }
}
