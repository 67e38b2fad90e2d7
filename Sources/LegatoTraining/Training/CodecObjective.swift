import LegatoNN
import LegatoTensor

/// Reconstruction losses of a codec: multi-resolution STFT (Yamamoto et al. 2020), log-mel, waveform.
public struct CodecObjective: Sendable {
  public var recipe: CodecLossRecipe
  public var sampleRate: Int

  public init(_ recipe: CodecLossRecipe, sampleRate: Int) {
    self.recipe = recipe
    self.sampleRate = sampleRate
  }

  /// Named parts of the loss of `output` against `target`, both `[rows, samples]`; hop is a quarter of each size.
  public func parts(
    _ output: Tensor, _ target: Tensor, waveformOnly: Bool = false
  ) -> [(name: String, weight: Float, value: Tensor)] {
    let backend = output.backend
    var (stft, mel): (Tensor?, Tensor?) = (nil, nil)
    for size in waveformOnly ? [] : recipe.stftSizes {
      let a = Spectral.magnitude(output, size: size, hop: size / 4)
      let b = Spectral.magnitude(target, size: size, hop: size / 4)
      if recipe.stftWeight > 0 {
        let convergence = ((a - b).square().sum() / (b.square().sum() + 1e-3)).sqrt()
        let logarithm = ((a + 1e-3).log() - (b + 1e-3).log()).abs().mean()
        stft = stft.map { $0 + convergence + logarithm } ?? convergence + logarithm
      }
      if recipe.melWeight > 0, size >= 256 {
        let bands = size >= 2048 ? 80 : size >= 1024 ? 64 : size >= 512 ? 40 : 20
        let filters = backend.tensor(
          Spectral.melFilters(bands: bands, size: size, sampleRate: sampleRate).map {
            $0 * Float(sampleRate) / Float(size)
          },
          shape: [bands, size / 2 + 1])
        let distance =
          (Spectral.logMel(a, filters: filters, floor: 1e-4)
          - Spectral.logMel(b, filters: filters, floor: 1e-4))
          .abs().mean()
        mel = mel.map { $0 + distance } ?? distance
      }
    }
    let count = Float(max(1, recipe.stftSizes.count))
    var parts: [(name: String, weight: Float, value: Tensor)] = []
    if let stft { parts.append(("stft", Float(recipe.stftWeight), stft / count)) }
    if let mel {
      parts.append(
        ("mel", Float(recipe.melWeight), mel / Float(max(1, recipe.stftSizes.filter { $0 >= 256 }.count))))
    }
    if recipe.waveformWeight > 0 {
      parts.append(("waveform", Float(recipe.waveformWeight), (output - target).abs().mean()))
    }
    return parts
  }
}
