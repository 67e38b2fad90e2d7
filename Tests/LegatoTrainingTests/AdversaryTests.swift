import Foundation
import LegatoTensor
import LegatoTorch
import Testing

@testable import LegatoTraining

/// The discriminator learns, and each side's loss reaches its own weights alone.
@Suite(.serialized) struct AdversaryTests {
  private let samples = 2048
  private let recipe: AdversarialRecipe = {
    var recipe = AdversarialRecipe()
    recipe.weight = 1
    recipe.channels = 4
    recipe.stftSizes = [512, 256]
    return recipe
  }()

  /// Tones, or the same in noise: two examples of two channels.
  private func signals(noisy: Bool, on backend: TorchBackend) -> Tensor {
    let noise = RandomStream(seed: 1, stream: 0).normal(4 * samples)
    let values = (0..<4 * samples).map { index -> Float in
      let tone = 0.3 * sin(2 * Float.pi * Float(index / samples + 3) * Float(index % samples) / 128)
      return tone + (noisy ? 0.1 * noise[index] : 0)
    }
    return backend.tensor(values, shape: [4, samples])
  }

  @Test func tellsWhatItIsShown() throws {
    let backend = try TorchBackend()
    let discriminator = try SpectrogramDiscriminator(
      sizes: recipe.stftSizes, channels: recipe.channels, weights: RandomWeights(seed: 3))
    let (real, fake) = (signals(noisy: false, on: backend), signals(noisy: true, on: backend))
    let verdicts = discriminator(real)
    #expect(verdicts.count == 2 && verdicts[0].features.count == 4)
    #expect(verdicts[0].scores.dim(0) == 4 && verdicts[0].scores.dim(1) == 1)
    #expect(verdicts[0].features[0].shape == [4, 4, 13, 129])

    let optimizer = try AdamW(backend, discriminator.weights, beta1: 0.5, beta2: 0.9)
    func loss() -> Tensor {
      AdversarialLoss.discriminator(real: discriminator(real), fake: discriminator(fake))
    }
    // Scores near 0 in the beginning cost 1 on each side.
    let before = try backend.item(loss())
    #expect(abs(before - 2) < 0.2, "\(before)")
    for _ in 0..<150 {
      try optimizer.clearGradients()
      try backend.backward(loss())
      try optimizer.step(learningRate: 5e-3)
    }
    let (after, fooled) = (
      try backend.item(loss()), try backend.item(AdversarialLoss.generator(fake: discriminator(fake)))
    )
    #expect(after < 0.3, "\(after)")
    #expect(fooled > 1.7, "a discriminator that sees through it: \(fooled)")
    let same = AdversarialLoss.features(real: discriminator(real), fake: discriminator(real))
    #expect(try backend.item(same) == 0)
    try backend.check()
  }

  @Test func eachLossReachesItsOwnSide() throws {
    let backend = try TorchBackend()
    let game = try #require(try AdversarialGame(recipe, seed: 5, samples: samples))
    let weights = game.adversary.weights
    try backend.makeTrainable(weights)
    let target = signals(noisy: false, on: backend)
    let output = try backend.trainable(signals(noisy: true, on: backend).floats(), shape: [4, samples])

    let parts = try game.parts(output: output, target: target, channels: 2, step: 1, on: backend)
    #expect(parts.map(\.name) == ["adversarial", "features"])
    try backend.backward(parts.reduce(backend.zeros([1])) { $0 + $1.value * $1.weight })
    let gradient = try #require(try backend.gradient(of: output))
    // Step 1 judges the second channel of each example: rows 1 and 3.
    for row in 0..<4 {
      let isMoved = gradient[row * samples..<(row + 1) * samples].contains { $0 != 0 }
      #expect(isMoved == (row % 2 == 1), "row \(row)")
    }
    for weight in weights { #expect(try backend.gradient(of: weight) == nil, "\(weight.name)") }

    try backend.clearGradients()
    try backend.backward(try #require(game.adversaryLoss()))
    // Nothing was added: the discriminator sees signals without their history.
    #expect(try backend.gradient(of: output) == gradient)
    for weight in weights { #expect(try backend.gradient(of: weight) != nil, "\(weight.name)") }
    #expect(game.adversaryLoss() == nil, "a step is judged once")

    var late = recipe
    late.startStep = 3
    let waiting = try #require(try AdversarialGame(late, seed: 5, samples: samples))
    #expect(try waiting.parts(output: output, target: target, channels: 2, step: 2, on: backend).isEmpty)
    #expect(waiting.adversaryLoss() == nil)
  }

  @Test func sizesThatDoNotFitAreRefused() throws {
    var wrong = recipe
    wrong.stftSizes = [500, 256]
    #expect(throws: TrainingError.self) { try AdversarialGame(wrong, seed: 1, samples: samples) }
    #expect(throws: TrainingError.self) { try AdversarialGame(recipe, seed: 1, samples: 300) }
    #expect(try AdversarialGame(AdversarialRecipe(), seed: 1, samples: samples) == nil)
  }
}
