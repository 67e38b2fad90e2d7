import LegatoAudio
import LegatoNN
import LegatoTensor

/// Cnn14 (Kong et al. 2020, "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition"): 2048
/// values for a whole sound, and logits of AudioSet's 527 classes.
///
/// After the package panns-inference and github.com/qiuqiangkong/audioset_tagging_cnn.
public struct Cnn14: AudioEmbedder {
  /// Which of the published networks: they differ in what they look at alone.
  public enum Variant: Sendable {
    case at32kHz, at16kHz

    var sampleRate: Int { self == .at32kHz ? 32_000 : 16_000 }
    var frontEnd: MelFrontEnd {
      self == .at32kHz
        ? MelFrontEnd(window: 1024, size: 1024, hop: 320) : MelFrontEnd(window: 512, size: 512, hop: 160)
    }
    var embedder: PublishedEmbedder { self == .at32kHz ? .cnn14 : .cnn14At16kHz }
  }

  public let details: EmbedderDetails
  private let variant: Variant
  private let backend: any Backend
  private let filters: Weight
  private let normalization: BatchNorm
  private let blocks: [(convolutions: [PlainConvolution2d], norms: [BatchNorm])]
  private let embedding: Linear
  private let classifier: Linear

  static let bands = 64
  /// audioldm_eval pads to so many samples, whatever the rate.
  private static let leastSamples = 32_000
  /// Seconds; a whole sound is in memory at once, 8 MB a second on libtorch.
  private static let mostSeconds = 300

  /// - Parameters:
  ///   - weights: tensors under the names of the published state dict; the mel filters are among them.
  ///   - digest: SHA-256 of their file.
  /// - Throws: ``ModelError`` where a tensor is missing or of another shape.
  public init(_ variant: Variant, weights: any WeightSource, digest: String?, on backend: any Backend) throws
  {
    self.variant = variant
    self.backend = backend
    let scope = WeightScope(weights)
    filters = try scope["logmel_extractor"].weight(
      "melW", [variant.frontEnd.size / 2 + 1, Self.bands], .zeros)
    normalization = try BatchNorm(scope["bn0"], Self.bands)
    var inputs = 1
    blocks = try (0..<6).map { index in
      let outputs = 64 << index
      let block = scope["conv_block\(index + 1)"]
      defer { inputs = outputs }
      return (
        [
          try PlainConvolution2d(block["conv1"], inputs, outputs, kernel: 3, padding: 1, bias: false),
          try PlainConvolution2d(block["conv2"], outputs, outputs, kernel: 3, padding: 1, bias: false),
        ], [try BatchNorm(block["bn1"], outputs), try BatchNorm(block["bn2"], outputs)]
      )
    }
    embedding = try Linear(scope["fc1"], 2048, 2048)
    classifier = try Linear(scope["fc_audioset"], 2048, 527)
    let rate = variant.sampleRate / 1000
    details = EmbedderDetails(
      name: variant.embedder.rawValue, weights: digest, sampleRate: variant.sampleRate, dimension: 2048,
      window: nil, hop: nil,
      preparation: "mean of the channels; soxr VHQ to \(rate) kHz; less than 32,000 samples are padded with "
        + "zeros; a whole sound at once; mel filters of the weights; ReLU of fc1",
      classes: (0..<527).map { "audioset-\($0)" })
  }

  public func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    guard sound.duration <= Double(Self.mostSeconds) else {
      throw EvaluationError(
        "\(details.name): a sound of \(Int(sound.duration)) s is looked at as a whole, which takes too much "
          + "memory; cut it into pieces of at most \(Self.mostSeconds) s")
    }
    let samples = try sound.heard(by: details.name, at: variant.sampleRate).padded(to: Self.leastSamples)
    let row = embedding(features(logMel(samples))).relu()
    return EmbeddedSound(rows: row.floats(), logits: classifier(row).floats())
  }

  /// Samples → 10 log10 of mel power, `[frames, 64]`.
  func logMel(_ samples: [Float]) -> Tensor {
    let frontEnd = variant.frontEnd
    return MelFrontEnd.decibels(
      frontEnd.power(frontEnd.centred(samples), on: backend), filters: backend.tensor(of: filters))
  }

  /// `[frames, 64]` → `[1, 2048]`.
  private func features(_ mels: Tensor) -> Tensor {
    var x = normalization(mels, shape: [1, Self.bands]).reshape([1, 1, mels.dim(0), Self.bands])
    for (index, block) in blocks.enumerated() {
      for (convolution, norm) in zip(block.convolutions, block.norms) {
        x = norm(convolution(x), shape: [1, 64 << index, 1, 1]).relu()
      }
      if index < blocks.count - 1 { x = x.pooled(.mean) }
    }
    let overTime = x.mean(axis: 3)
    return (overTime.max(axis: 2) + overTime.mean(axis: 2)).reshape([1, -1])
  }
}
