import LegatoAudio
import LegatoCodecs
import LegatoTensor

/// A codec on recordings in memory, through its streams on the CPU engine.
public enum CodecRoundTrip {
  /// Latents `[frames · dimension]` of audio at the codec's rate and channel count; the last frame is padded with zeros.
  public static func encode(_ audio: AudioBuffer, with codec: any AudioCodec, engine: CPUEngine = CPUEngine())
    throws
    -> [Float]
  {
    let encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    var latents: [Float] = []
    for block in blocks(audio, codec, extra: 0) {
      latents += block.withUnsafeBufferPointer { encoder.step($0) }
    }
    return latents
  }

  /// decode(encode(audio)), as long as the input and aligned with it.
  public static func reconstruct(
    _ audio: AudioBuffer, with codec: any AudioCodec, engine: CPUEngine = CPUEngine()
  ) throws
    -> AudioBuffer
  {
    let encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    let decoder = codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
    var channels = [[Float]](repeating: [], count: codec.channels)
    for block in blocks(audio, codec, extra: codec.delay) {
      let samples = block.withUnsafeBufferPointer { decoder.step(encoder.step($0)) }
      for channel in channels.indices {
        channels[channel] += samples[channel * codec.samplesPerFrame..<(channel + 1) * codec.samplesPerFrame]
      }
    }
    return AudioBuffer(
      sampleRate: audio.sampleRate,
      channels: channels.map { Array($0[codec.delay..<codec.delay + audio.frameCount]) })
  }

  /// Planar blocks of one frame each, covering the audio and `extra` samples more.
  private static func blocks(_ audio: AudioBuffer, _ codec: any AudioCodec, extra: Int) -> [[Float]] {
    let (size, length) = (codec.samplesPerFrame, audio.frameCount)
    return (0..<(length + extra + size - 1) / size).map { frame in
      audio.channels.flatMap { channel in
        (frame * size..<(frame + 1) * size).map { $0 < length ? channel[$0] : 0 }
      }
    }
  }
}
