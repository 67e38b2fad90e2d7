import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// One recording to a file of latents and back. The file is safetensors with a tensor `latents` F32
/// `[frames, dimension]`, and metadata that says which codec made it and how long the recording is.
public enum RecordingCodec {
  static let formatVersion = 1
  static let tensorName = "latents"

  /// What a call did.
  public struct Summary: Sendable, Hashable {
    public var frames: Int
    public var seconds: Double
    /// Samples beyond full scale that an integer format clipped; decoding only.
    public var clippedSamples = 0
  }

  /// Encodes a recording of any usual format, rate and channels, in bounded memory. The latents reach as far beyond
  /// the recording's end as the codec needs to give back its last samples.
  ///
  /// - Throws: an audio error for the recording, ``PrepareError``, ``LatentError`` where writing fails.
  public static func encodeFile(
    _ recording: String, codec: CodecPackage, to output: String, threads: Int = 1,
    isCancelled: () -> Bool = { false }
  ) throws -> Summary {
    let coder = codec.codec
    let encoder = RecordingEncoder(codec: coder, threads: threads)
    var spool = LatentSpool(folder: (output as NSString).deletingLastPathComponent.nonEmpty ?? ".")
    var frames = 0
    let samples = try encoder.encode(recording, padding: coder.delay, isCancelled: isCancelled) { latent in
      try spool.appendFloat32(latent)
      frames += 1
    }
    do {
      let writer = try SafetensorsWriter(
        path: output, tensors: [.init(tensorName, .float32, [frames, coder.latentDimension])],
        metadata: [
          "format_version": "\(formatVersion)", "kind": "latents", "codec_hash": codec.hash,
          "codec": codec.configuration.name, "frame_rate": "\(coder.frameRate)",
          "sample_rate": "\(coder.sampleRate)", "samples": "\(samples)",
        ])
      try spool.copy(to: tensorName, of: writer)
      try writer.finish()
    } catch let error as SafetensorsError {
      throw LatentError(.cannotWrite, error.file, error.reason, error.remedy)
    }
    return Summary(frames: frames, seconds: Double(samples) / Double(coder.sampleRate))
  }

  /// Decodes a file of latents to a WAV file, or a WAV stream for "-", in bounded memory.
  ///
  /// - Throws: ``LatentError``: missing, damaged, made with another codec; an audio error where writing fails.
  public static func decodeFile(
    _ latents: String, codec: CodecPackage, to output: String, format: WAVWriter.Format = .pcm16,
    threads: Int = 1,
    isCancelled: () -> Bool = { false }
  ) throws -> Summary {
    let coder = codec.codec
    let (file, frames) = try open(latents, codec: codec)
    let available = frames * coder.samplesPerFrame - coder.delay
    guard available > 0 else {
      throw LatentError(
        .tooShort, latents, "it holds \(frames) latents, too few to be decoded", "Encode a longer recording.")
    }
    let samples = file.metadata["samples"].flatMap { Int($0) }.map { min(max(1, $0), available) } ?? available
    let engine = CPUEngine(threads: threads)
    let stream = StreamState(engine: engine)
    let decoder = coder.makeDecoder(engine: engine, stream: stream)
    let writer = try WAVWriter(output, sampleRate: coder.sampleRate, channels: coder.channels, format: format)
    do {
      var (position, left) = (-coder.delay, samples)
      var latent = [Float](repeating: 0, count: coder.latentDimension)
      for frame in 0..<frames where left > 0 {
        if isCancelled() {
          throw PrepareError(.cancelled, latents, "stopped on request", "Run the same command again.")
        }
        try read(frame, of: file, into: &latent)
        let sound = latent.withUnsafeBufferPointer { decoder.step($0) }
        let first = min(max(0, -position), coder.samplesPerFrame)
        let count = min(coder.samplesPerFrame - first, left)
        position += coder.samplesPerFrame
        guard count > 0 else { continue }
        try writer.append(
          (0..<coder.channels).map { channel in
            let start = channel * coder.samplesPerFrame + first
            return Array(sound[start..<start + count])
          })
        left -= count
      }
      try writer.finish()
    } catch {
      writer.cancel()
      throw error
    }
    return Summary(
      frames: frames, seconds: Double(samples) / Double(coder.sampleRate),
      clippedSamples: writer.clippedSamples)
  }

  /// Opens a file of latents and checks that `codec` made it.
  private static func open(_ path: String, codec: CodecPackage) throws -> (SafetensorsFile, frames: Int) {
    let file: SafetensorsFile
    do throws(SafetensorsError) {
      file = try SafetensorsFile(path: path)
    } catch {
      throw LatentError(error.kind == .cannotOpen ? .missing : .damaged, path, error.reason, error.remedy)
    }
    let remedy = "Give a file that `legato encode` wrote."
    if let version = file.metadata["format_version"].flatMap({ Int($0) }), version > formatVersion {
      throw LatentError(
        .newer, path, "format_version \(version) is newer than this Legato reads (\(formatVersion))",
        "Update Legato.")
    }
    guard let entry = try? file.entry(tensorName) else {
      throw LatentError(.damaged, path, "it holds no tensor '\(tensorName)'", remedy)
    }
    guard entry.dtype == .float32, entry.shape.count == 2 else {
      throw LatentError(
        .damaged, path, "the latents are \(entry.dtype.rawValue) \(entry.shape), not F32 [frames, dimension]",
        remedy)
    }
    guard let hash = file.metadata["codec_hash"] else {
      throw LatentError(.damaged, path, "it does not say which codec made it", remedy)
    }
    guard hash == codec.hash, entry.shape[1] == codec.codec.latentDimension else {
      throw LatentError(
        .otherCodec, path,
        "the latents were made with the codec \(hash), not with \(codec.hash) at \(codec.path)",
        "Give the codec that made them, or encode the recording again with this one.")
    }
    return (file, entry.shape[0])
  }

  private static func read(_ frame: Int, of file: SafetensorsFile, into latent: inout [Float]) throws {
    try file.withBytes(tensorName) { bytes in
      for index in latent.indices {
        let bits = bytes.loadUnaligned(fromByteOffset: 4 * (frame * latent.count + index), as: UInt32.self)
        latent[index] = Float(bitPattern: UInt32(littleEndian: bits))
      }
    }
    guard latent.allSatisfy(\.isFinite) else {
      throw LatentError(
        .damaged, file.path, "latent \(frame) is NaN or infinite", "Encode the recording again.")
    }
  }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
