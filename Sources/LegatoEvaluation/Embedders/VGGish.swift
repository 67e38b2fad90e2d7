import LegatoAudio
import LegatoNN
import LegatoTensor

/// VGGish (Hershey et al. 2017, "CNN Architectures for Large-Scale Audio Classification"): 128 values for every 0.96 s.
///
/// After github.com/harritaylor/torchvggish, as the tools for the Fréchet audio distance use it: without PCA and
/// without the last ReLU (github.com/gudgud96/frechet-audio-distance, github.com/microsoft/fadtk).
public struct VGGish: AudioEmbedder {
  public let details: EmbedderDetails
  private let backend: any Backend
  private let filters: Tensor
  /// Maximum pooling follows where it says so.
  private let convolutions: [(layer: PlainConvolution2d, isPooled: Bool)]
  private let embeddings: [Linear]

  static let sampleRate = 16_000
  /// 25 ms windows every 10 ms, in patches of 96.
  static let frontEnd = MelFrontEnd(window: 400, size: 512, hop: 160)
  static let bands = 64
  static let patchFrames = 96
  /// Patches that go through the network together: 50 MB of activations.
  private static let batch = 16

  /// - Parameters:
  ///   - weights: tensors under the names of torchvggish's state dict.
  ///   - digest: SHA-256 of their file.
  /// - Throws: ``ModelError`` where a tensor is missing or of another shape.
  public init(weights: any WeightSource, digest: String?, on backend: any Backend) throws {
    self.backend = backend
    let scope = WeightScope(weights)
    var inputs = 1
    let plan = [
      (0, 64, true), (3, 128, true), (6, 256, false), (8, 256, true), (11, 512, false), (13, 512, true),
    ]
    convolutions = try plan.map { index, outputs, isPooled in
      defer { inputs = outputs }
      let layer = try PlainConvolution2d(
        scope["features"][index], inputs, outputs, kernel: 3, padding: 1, bias: true)
      return (layer, isPooled)
    }
    embeddings = try [(0, 12_288, 4096), (2, 4096, 4096), (4, 4096, 128)].map { index, inputs, outputs in
      try Linear(scope["embeddings"][index], inputs, outputs)
    }
    filters = backend.tensor(
      MelFrontEnd.htkFilters(
        bands: Self.bands, size: Self.frontEnd.size, sampleRate: Self.sampleRate, from: 125, to: 7500),
      shape: [Self.frontEnd.size / 2 + 1, Self.bands])
    details = EmbedderDetails(
      name: PublishedEmbedder.vggish.rawValue, weights: digest, sampleRate: Self.sampleRate, dimension: 128,
      window: 0.96, hop: 0.96,
      preparation: "mean of the channels; soxr VHQ to 16 kHz; less than 1 s is padded with zeros to 1 s; "
        + "0.96 s side by side, an incomplete last one dropped; no PCA, last ReLU removed")
  }

  public func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    let samples = try sound.heard(by: details.name, at: Self.sampleRate).padded(to: Self.sampleRate)
    let patchSamples = Self.patchFrames * Self.frontEnd.hop
    let overhang = Self.frontEnd.window - Self.frontEnd.hop
    let patches = (samples.count - overhang) / patchSamples
    var rows: [Float] = []
    for first in stride(from: 0, to: patches, by: Self.batch) {
      let last = min(first + Self.batch, patches)
      let part = Array(samples[first * patchSamples..<last * patchSamples + overhang])
      let mels = logMel(part).reshape([last - first, 1, Self.patchFrames, Self.bands])
      rows += embed(mels).floats()
    }
    return EmbeddedSound(rows: rows)
  }

  /// Samples at 16 kHz → ln(mel magnitude + 0.01), `[frames, 64]`.
  func logMel(_ samples: [Float]) -> Tensor {
    (Self.frontEnd.power(samples, on: backend).sqrt().matmul(filters) + 0.01).log()
  }

  /// Patches `[n, 1, 96, 64]` → `[n, 128]`.
  private func embed(_ patches: Tensor) -> Tensor {
    var x = patches
    for (layer, isPooled) in convolutions {
      x = layer(x).relu()
      if isPooled { x = x.pooled(.max) }
    }
    // The network came from TensorFlow, where channels are last.
    x = x.permute([0, 2, 3, 1]).reshape([patches.dim(0), -1])
    for layer in embeddings.dropLast() { x = layer(x).relu() }
    return embeddings[embeddings.count - 1](x)
  }
}
