import LegatoTensor
import LegatoTorch

/// A codec's discriminator, and what it was last shown.
final class AdversarialGame {
  private let recipe: AdversarialRecipe
  private let discriminator: SpectrogramDiscriminator
  /// The signals of the latest step, `[rows, samples]`, without history.
  private var shown: (real: Tensor, fake: Tensor)?

  /// Nil where the recipe has no discriminator. `samples` is the length of the signals that it will see.
  init?(_ recipe: AdversarialRecipe, seed: UInt64, samples: Int) throws {
    guard recipe.weight > 0 else { return nil }
    try TransformSizes.check(recipe.stftSizes, key: "codec.adversarial.stft_sizes", samples: samples)
    self.recipe = recipe
    discriminator = try SpectrogramDiscriminator(
      sizes: recipe.stftSizes, channels: recipe.channels, weights: RandomWeights(seed: seed))
  }

  var adversary: Adversary {
    Adversary(weights: discriminator.weights, learningRate: recipe.learningRate)
  }

  /// The codec's side of a step: named parts of its loss. Signals `[batch · channels, samples]`, of which one channel an
  /// example is judged, in turn.
  func parts(output: Tensor, target: Tensor, channels: Int, step: Int, on backend: TorchBackend) throws
    -> [(name: String, weight: Float, value: Tensor)]
  {
    shown = nil
    guard step >= recipe.startStep else { return [] }
    let unit = recipe.stftSizes.max() ?? 1
    let length = output.dim(1) / unit * unit
    func judged(_ x: Tensor) -> Tensor {
      let channel = step % channels
      return x.slice(axis: 1, 0..<length).reshape([-1, channels, length])
        .slice(axis: 1, channel..<channel + 1).reshape([-1, length])
    }
    let (fake, real) = (judged(output), judged(target))
    shown = (backend.detach(real), backend.detach(fake))
    // The discriminator learns from its own loss alone.
    try backend.freeze(discriminator.weights)
    let (ofReal, ofFake) = (backend.withoutGradients { discriminator(real) }, discriminator(fake))
    try backend.makeTrainable(discriminator.weights)
    return [
      ("adversarial", Float(recipe.weight), AdversarialLoss.generator(fake: ofFake)),
      ("features", Float(recipe.featureWeight), AdversarialLoss.features(real: ofReal, fake: ofFake)),
    ]
  }

  /// The discriminator's side of the same step.
  func adversaryLoss() -> Tensor? {
    guard let shown else { return nil }
    self.shown = nil
    return AdversarialLoss.discriminator(real: discriminator(shown.real), fake: discriminator(shown.fake))
  }
}
