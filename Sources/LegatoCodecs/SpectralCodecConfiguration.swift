/// Sizes of a ``SpectralCodec``.
public struct SpectralCodecConfiguration: Codable, Sendable, Hashable {
  public var sampleRate = 48_000
  public var channels = 2
  public var fftSize = 1920
  public var hop = 480
  /// Analysis frames that one latent stands for: 4 gives 25 latents a second, 8 gives 12.5.
  public var fold = 4
  public var latentDimension = 64
  public var encoderWidth = 192
  public var encoderBlocks = 4
  public var bottleneckWidth = 256
  public var bottleneckBlocks = 2
  public var decoderWidth = 256
  public var decoderBlocks = 6

  public init() {}

  enum CodingKeys: String, CodingKey {
    case sampleRate = "sample_rate"
    case channels
    case fftSize = "fft_size"
    case hop, fold
    case latentDimension = "latent_dimension"
    case encoderWidth = "encoder_width"
    case encoderBlocks = "encoder_blocks"
    case bottleneckWidth = "bottleneck_width"
    case bottleneckBlocks = "bottleneck_blocks"
    case decoderWidth = "decoder_width"
    case decoderBlocks = "decoder_blocks"
  }

  public var bins: Int { fftSize / 2 + 1 }
  /// Real and imaginary parts of every bin of every channel.
  public var spectrumWidth: Int { channels * 2 * bins }
  public var samplesPerFrame: Int { hop * fold }

  /// Preset names, smallest first.
  public static let presetNames = ["tiny", "small", "base"]

  /// `tiny` is for tests, `small` trains on two CPU cores, `base` wants a GPU.
  public static func preset(_ name: String) -> SpectralCodecConfiguration? {
    var configuration = SpectralCodecConfiguration()
    switch name {
    case "tiny":
      configuration.encoderWidth = 32
      configuration.encoderBlocks = 1
      configuration.bottleneckWidth = 64
      configuration.bottleneckBlocks = 1
      configuration.decoderWidth = 48
      configuration.decoderBlocks = 1
      configuration.latentDimension = 16
    case "small": break
    case "base":
      configuration.encoderWidth = 384
      configuration.bottleneckWidth = 512
      configuration.decoderWidth = 512
      configuration.decoderBlocks = 8
    default: return nil
    }
    return configuration
  }

  /// What is wrong with these numbers, in words; nil where nothing is.
  public var problem: String? {
    let numbers = [
      ("sample_rate", sampleRate, 8000...192_000), ("channels", channels, 1...2),
      ("fft_size", fftSize, 64...8192),
      ("hop", hop, 16...4096), ("fold", fold, 1...64), ("latent_dimension", latentDimension, 1...1024),
      ("encoder_width", encoderWidth, 1...8192), ("encoder_blocks", encoderBlocks, 0...64),
      ("bottleneck_width", bottleneckWidth, 1...8192), ("bottleneck_blocks", bottleneckBlocks, 0...64),
      ("decoder_width", decoderWidth, 1...8192), ("decoder_blocks", decoderBlocks, 0...64),
    ]
    for (name, value, range) in numbers where !range.contains(value) {
      return "\(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)"
    }
    if fftSize % hop != 0 || fftSize / hop < 3 {
      return "fft_size \(fftSize) must be at least three times hop \(hop), and a multiple"
    }
    var half = fftSize / 2
    for factor in [2, 3, 5] { while half % factor == 0 { half /= factor } }
    if fftSize % 2 != 0 || half != 1 { return "half of fft_size \(fftSize) must be a product of 2, 3 and 5" }
    return nil
  }
}
