import LegatoCodecs
import LegatoTensor
import LegatoTorch
import Testing

@Suite struct SpectralCodecTests {
  static func codec() throws -> SpectralCodec {
    var c = try #require(SpectralCodecConfiguration.preset("tiny"))
    c.bottleneckBlocks = 2
    c.decoderBlocks = 2
    return try SpectralCodec(c, weights: RandomWeights(seed: 3, everywhere: 0.05))
  }

  static func audio(_ codec: SpectralCodec, frames: Int) -> [Float] {
    RandomStream(seed: 1, stream: 5).normal(codec.channels * frames * codec.samplesPerFrame).map { $0 * 0.1 }
  }

  @Test func streamingEqualsOffline() throws {
    let codec = try Self.codec()
    let engine = CPUEngine(threads: 2)
    let frames = 9
    let samples = Self.audio(codec, frames: frames)
    let length = frames * codec.samplesPerFrame
    let latents = codec.encode(engine.tensor(samples, shape: [1, codec.channels, length]))
    let offline = latents.floats()
    let encoder = codec.makeEncoder(engine: engine, stream: StreamState(engine: engine))
    var streamed: [Float] = []
    for frame in 0..<frames {
      var block: [Float] = []
      for channel in 0..<codec.channels {
        let first = channel * length + frame * codec.samplesPerFrame
        block += samples[first..<first + codec.samplesPerFrame]
      }
      streamed += block.withUnsafeBufferPointer { Array(encoder.step($0)) }
    }
    expectClose(streamed, offline, 1e-4)

    let decoded = codec.decode(latents).floats()
    let decoder = codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
    var channels = [[Float]](repeating: [], count: codec.channels)
    for frame in 0..<frames {
      let latent = Array(offline[frame * codec.latentDimension..<(frame + 1) * codec.latentDimension])
      let block = latent.withUnsafeBufferPointer { Array(decoder.step($0)) }
      for channel in channels.indices {
        channels[channel] += block[channel * codec.samplesPerFrame..<(channel + 1) * codec.samplesPerFrame]
      }
    }
    for channel in channels.indices {
      let whole = Array(decoded[channel * length..<(channel + 1) * length - codec.delay])
      expectClose(Array(channels[channel][codec.delay...]), whole, 1e-4)
    }
  }

  @Test func causality() throws {
    let codec = try Self.codec()
    let engine = CPUEngine(threads: 1)
    let (frames, size, changed) = (8, codec.samplesPerFrame, 5)
    var samples = Self.audio(codec, frames: frames)
    let shape = [1, codec.channels, frames * size]
    let before = codec.encode(engine.tensor(samples, shape: shape)).floats()
    for channel in 0..<codec.channels { samples[channel * frames * size + changed * size] += 0.5 }
    let after = codec.encode(engine.tensor(samples, shape: shape)).floats()
    let d = codec.latentDimension
    #expect(before[..<(changed * d)] == after[..<(changed * d)], "a latent depends on samples after its end")
    #expect(before[(changed * d)...] != after[(changed * d)...])

    var latents = RandomStream(seed: 4, stream: 0).normal(frames * d)
    let sound = codec.decode(engine.tensor(latents, shape: [1, frames, d])).floats()
    latents[changed * d] += 1
    let other = codec.decode(engine.tensor(latents, shape: [1, frames, d])).floats()
    // A latent's first analysis frame begins `delay` samples before the latent does.
    let first = changed * size - codec.delay
    for channel in 0..<codec.channels {
      let base = channel * frames * size
      #expect(sound[base..<base + first] == other[base..<base + first])
    }
    #expect(sound != other)
  }

  @Test func enginesAgree() throws {
    let codec = try Self.codec()
    let samples = Self.audio(codec, frames: 6)
    let shape = [1, codec.channels, 6 * codec.samplesPerFrame]
    let (engine, torch) = (CPUEngine(threads: 2), try TorchBackend(device: .cpu))
    let a = codec.encode(engine.tensor(samples, shape: shape))
    let b = codec.encode(torch.tensor(samples, shape: shape))
    expectClose(a.floats(), b.floats(), 1e-4)
    let latents = RandomStream(seed: 2, stream: 5).normal(6 * codec.latentDimension)
    let c = codec.decode(engine.tensor(latents, shape: [1, 6, codec.latentDimension]))
    let d = codec.decode(torch.tensor(latents, shape: [1, 6, codec.latentDimension]))
    expectClose(c.floats(), d.floats(), 1e-4)
    try torch.check()
  }
}
