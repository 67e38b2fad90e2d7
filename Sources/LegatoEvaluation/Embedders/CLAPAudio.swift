import LegatoAudio
import LegatoNN
import LegatoTensor

/// The audio tower of LAION's CLAP (Wu et al. 2023, "Large-Scale Contrastive Language-Audio Pretraining"), unfused, with
/// HTSAT (Chen et al. 2022) and its projection: 512 values of unit length for every 10 s.
///
/// After github.com/LAION-AI/CLAP and transformers' `ClapModel`, under whose names the tensors are; windows after
/// github.com/microsoft/fadtk, which also rounds sound to 16 bits first. This does not.
public struct CLAPAudio: AudioEmbedder {
  public enum Tower: Sendable {
    case tiny, base

    var width: Int { self == .tiny ? 96 : 128 }
    var depths: [Int] { self == .tiny ? [2, 2, 6, 2] : [2, 2, 12, 2] }
  }

  public let details: EmbedderDetails
  private let backend: any Backend
  private let filters: Tensor
  private let stretch: Tensor
  private let normalization: BatchNorm
  private let patches: PlainConvolution2d
  private let patchNorm: LayerNorm
  private let stages: [SwinStage]
  private let norm: LayerNorm
  private let projection: [Linear]

  static let sampleRate = 48_000
  static let frontEnd = MelFrontEnd(window: 1024, size: 1024, hop: 480)
  static let bands = 64
  /// Samples that a row looks at.
  static let windowSamples = 480_000
  /// Mel frames of a window, and what they are stretched to: four images side by side.
  private static let (frames, stretchedFrames) = (1001, 1024)
  /// Of the image, and of a patch of it.
  private static let (side, patch) = (256, 4)
  /// Windows that go through the network together.
  private static let batch = 4

  /// - Parameters:
  ///   - weights: tensors under the names of transformers' `ClapModel`.
  ///   - digest: SHA-256 of their file.
  /// - Throws: ``ModelError`` where a tensor is missing or of another shape.
  public init(_ tower: Tower, weights: any WeightSource, digest: String?, on backend: any Backend) throws {
    self.backend = backend
    let root = WeightScope(weights)
    let scope = root["audio_model"]["audio_encoder"]
    normalization = try BatchNorm(scope["batch_norm"], Self.bands)
    patches = try PlainConvolution2d(
      scope["patch_embed"]["proj"], 1, tower.width, kernel: Self.patch, stride: Self.patch, bias: true)
    patchNorm = try LayerNorm(scope["patch_embed"]["norm"], tower.width)
    let tokens = Self.side / Self.patch
    stages = try tower.depths.enumerated().map { index, depth in
      try SwinStage(
        scope["layers"][index], width: tower.width << index, heads: 4 << index, depth: depth,
        side: tokens >> index, isLast: index == tower.depths.count - 1, on: backend)
    }
    let width = tower.width << (tower.depths.count - 1)
    norm = try LayerNorm(scope["norm"], width)
    projection = [
      try Linear(root["audio_projection"]["linear1"], width, CLAPScore.dimension),
      try Linear(root["audio_projection"]["linear2"], CLAPScore.dimension, CLAPScore.dimension),
    ]
    filters = backend.tensor(
      MelFrontEnd.slaneyFilters(
        bands: Self.bands, size: Self.frontEnd.size, sampleRate: Self.sampleRate, from: 50, to: 14_000),
      shape: [Self.frontEnd.size / 2 + 1, Self.bands])
    stretch = backend.tensor(
      Self.cubicInterpolation(from: Self.frames, to: Self.stretchedFrames),
      shape: [Self.stretchedFrames, Self.frames])
    details = EmbedderDetails(
      name: PublishedEmbedder.clap.rawValue, weights: digest, sampleRate: Self.sampleRate,
      dimension: CLAPScore.dimension,
      window: 10, hop: 1,
      preparation:
        "mean of the channels; soxr VHQ to 48 kHz; 10 s from every second of the sound, padded with "
        + "zeros at its end; rows of unit length")
  }

  public func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    let samples = try sound.heard(by: details.name, at: Self.sampleRate)
    return EmbeddedSound(
      rows: rows(of: samples, from: Array(stride(from: 0, to: samples.count, by: Self.sampleRate))))
  }

  /// Rows of the 10 s from every second that lie within the sound; a shorter sound is repeated as often as it fits into
  /// 10 s, and padded with zeros.
  func embedFilled(_ sound: AudioBuffer) throws -> [Float] {
    var samples = try sound.heard(by: details.name, at: Self.sampleRate)
    if samples.count < Self.windowSamples {
      let times = Self.windowSamples / samples.count
      samples = Array(repeatElement(samples, count: times).joined()).padded(to: Self.windowSamples)
    }
    return rows(
      of: samples,
      from: Array(stride(from: 0, through: samples.count - Self.windowSamples, by: Self.sampleRate)))
  }

  private func rows(of samples: [Float], from starts: [Int]) -> [Float] {
    stride(from: 0, to: starts.count, by: Self.batch).flatMap { first in
      let mels = starts[first..<min(first + Self.batch, starts.count)].map { start in
        let window = Array(samples[start..<min(start + Self.windowSamples, samples.count)])
        return logMel(window.padded(to: Self.windowSamples)).reshape([1, Self.frames, Self.bands])
      }
      return embed(.concatenate(mels, axis: 0)).floats()
    }
  }

  /// 480,000 samples at 48 kHz → 10 log10 of mel power, `[1001, 64]`.
  func logMel(_ samples: [Float]) -> Tensor {
    MelFrontEnd.decibels(
      Self.frontEnd.power(Self.frontEnd.centred(samples), on: backend), filters: filters)
  }

  /// `[n, 1001, 64]` → `[n, 512]`.
  func embed(_ mels: Tensor) -> Tensor {
    let n = mels.dim(0)
    let stretched = stretch.matmul(normalization(mels, shape: [1, 1, Self.bands]))
    // Four quarters of time, one under the other.
    let image = stretched.reshape([n, 4, Self.side, Self.bands]).permute([0, 1, 3, 2])
      .reshape([n, 1, Self.side, Self.side])
    let tokens = patches(image)
    var x = patchNorm(tokens.permute([0, 2, 3, 1]))
    for stage in stages { x = stage(x) }
    x = norm(x).reshape([n, -1, x.dim(3)]).mean(axis: 1).reshape([n, -1])
    return projection[1](projection[0](x).relu()).unitRows()
  }

  /// Cubic interpolation (Keys 1981, a = −0.75) with the ends on the ends and the edges repeated, as PyTorch's
  /// `interpolate(mode="bicubic", align_corners=True)` does it along one axis: `[to, from]`.
  private static func cubicInterpolation(from: Int, to: Int) -> [Float] {
    let a = -0.75
    func near(_ x: Double) -> Double { ((a + 2) * x - (a + 3)) * x * x + 1 }
    func far(_ x: Double) -> Double { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    // In single precision, as there: places up to 1000 are so far from exact ones that values show it.
    let scale = Float(from - 1) / Float(to - 1)
    var matrix = [Float](repeating: 0, count: to * from)
    for row in 0..<to {
      let place = scale * Float(row)
      let index = Int(place)
      let t = Double(place - Float(index))
      for (offset, weight) in [(-1, far(t + 1)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))] {
        matrix[row * from + min(max(index + offset, 0), from - 1)] += Float(weight)
      }
    }
    return matrix
  }
}
