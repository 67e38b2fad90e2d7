import LegatoNN
import LegatoTensor

/// Tells recordings from reconstructions by their complex spectrograms, one network a size of the transform
/// (Défossez et al. 2022, "High Fidelity Neural Audio Compression", 3.4).
///
/// Narrower than the paper's and with strides instead of dilations, so that two CPU cores can train it; spectra are
/// compressed as the codec's are, so that soft partials count beside loud ones.
struct SpectrogramDiscriminator {
  /// What the network of one size says of `rows` signals.
  struct Verdict {
    /// High where it takes the sound for a recording: `[rows, 1, frames', bins']`.
    var scores: Tensor
    /// Outputs of its inner layers, `[rows, channels, frames', bins']` each.
    var features: [Tensor]
  }

  let sizes: [Int]
  let weights: [Weight]
  private let networks: [[Convolution2d]]

  init(sizes: [Int], channels: Int, weights source: any WeightSource) throws {
    self.sizes = sizes
    let scope = WeightScope(source)
    networks = try sizes.indices.map { index in
      let layers = scope["discriminator"][index]
      return [
        try Convolution2d(layers[0], 2, channels, kernel: [3, 9], stride: [1, 2]),
        try Convolution2d(layers[1], channels, channels, kernel: [3, 9], stride: [1, 2]),
        try Convolution2d(layers[2], channels, channels, kernel: [3, 9], stride: [2, 2]),
        try Convolution2d(layers[3], channels, channels, kernel: [3, 3]),
        try Convolution2d(layers[4], channels, 1, kernel: [3, 3]),
      ]
    }
    weights = scope.weights
  }

  /// Signals `[rows, samples]`; every size must divide the samples.
  func callAsFunction(_ signals: Tensor) -> [Verdict] {
    zip(sizes, networks).map { size, layers in
      var x = spectrogram(signals, size: size)
      var features: [Tensor] = []
      for layer in layers.dropLast() {
        x = layer(x)
        // Leaky, by 0.2.
        x = x.relu() * 0.8 + x * 0.2
        features.append(x)
      }
      return Verdict(scores: layers[layers.count - 1](x), features: features)
    }
  }

  /// `[rows, 2, frames, bins]`.
  private func spectrogram(_ signals: Tensor, size: Int) -> Tensor {
    // A Hann window's energy is 3/8 of its length.
    let spectrum =
      Spectral.transform(signals, size: size, hop: size / 4) * (1 / (0.375 * Float(size)).squareRoot())
    return (spectrum * (spectrum.square().sum(axis: -2) + 1e-7).pow(-0.175)).permute([0, 2, 1, 3])
  }
}

/// The losses of the two that play against each other, all `[1]`.
enum AdversarialLoss {
  /// Hinge: recordings should score above 1 and reconstructions below −1.
  static func discriminator(
    real: [SpectrogramDiscriminator.Verdict], fake: [SpectrogramDiscriminator.Verdict]
  )
    -> Tensor
  {
    mean(zip(real, fake).map { (1 - $0.scores).relu().mean() + ($1.scores + 1).relu().mean() })
  }

  /// Reconstructions should score above 1.
  static func generator(fake: [SpectrogramDiscriminator.Verdict]) -> Tensor {
    mean(fake.map { (1 - $0.scores).relu().mean() })
  }

  /// Mean absolute difference of all features, each relative to the recording's mean size.
  static func features(real: [SpectrogramDiscriminator.Verdict], fake: [SpectrogramDiscriminator.Verdict])
    -> Tensor
  {
    mean(
      zip(real, fake).flatMap { real, fake in
        zip(real.features, fake.features).map { ($0 - $1).abs().mean() / ($0.abs().mean() + 1e-5) }
      })
  }

  private static func mean(_ terms: [Tensor]) -> Tensor {
    terms.dropFirst().reduce(terms[0], +) / Float(terms.count)
  }
}
