import LegatoCodecs
import LegatoModels

/// The README.md of a package: what it is, how it came to be, what it is worth.
enum ModelCard {
  static func text(_ file: CodecConfigurationFile, recipe: Recipe, hours: Double) -> String {
    let c = file.codec
    return """
      # \(file.name)

      A codec of Legato: causal spectral autoencoder, \(c.sampleRate) Hz, \(c.channels) channels, \(c.latentDimension) dimensions,
      \(number(Double(c.sampleRate) / Double(c.samplesPerFrame))) latents a second. Licence: \(file.licence).

      \(training(file.training, recipe: recipe, data: "\(number(hours)) hours of training audio"))
      Held-out mel distance (log-mel L1, 80 bands): \(file.heldOutMelDistance.map(number) ?? "not measured").

      """
  }

  static func text(_ file: ModelConfigurationFile, recipe: Recipe, data: String) -> String {
    let (b, s) = (file.model.backbone, file.model.sampler)
    return """
      # \(file.name)

      A model of Legato, \(b.isCausal ? "continuous and autoregressive" : "of whole sequences"). Backbone: \(b.layers) layers of \(b.width), window \(b.window), \(b.sinks) sinks; sampler:
      \(s.summary). Licence: \(file.licence).

      \(training(file.training, recipe: recipe, data: data))

      """
  }

  static func text(_ file: NoteClassifierFile, recipe: Recipe, hours: Double, heldOut: [String]) -> String {
    let c = file.classifier
    let accuracy = file.accuracy.sorted { $0.key < $1.key }.map {
      "- \($0.key.replacing("_", with: " ")): \($0.value.summary)"
    }.joined(separator: "\n")
    return """
      # \(file.name)

      A classifier of Legato: hears which of \(c.instruments.count) instruments play in a second of sound, and which of 88 keys, by an
      embedding of \(c.dimension) dimensions. Mono, \(LogFrequencySpectrum.sampleRate) Hz. Licence: \(file.licence).

      ## Accuracy

      Of instruments (families) that sound, the share that is among as many likeliest ones, in seconds of sound; keys are named
      where they sound for 80 ms of the second. Pieces were composed and rendered like those that it was trained on, with other seeds.
      \(heldOut.isEmpty ? "" : "Instruments that it was never trained on: \(heldOut.joined(separator: ", ")).")

      \(accuracy)

      \(training(file.training, recipe: recipe, data: "\(number(hours)) hours of training audio"))

      """
  }

  private static func training(_ record: TrainingRecord?, recipe: Recipe, data: String) -> String {
    guard let record else { return "" }
    let losses = record.losses.sorted { $0.key < $1.key }.map { "- \($0.key): \(number($0.value))" }.joined(
      separator: "\n")
    return """
      ## Training

      - data: \(record.data) (\(data))
      - steps: \(record.steps), in \(number(record.seconds / 60)) minutes
      - hardware: \(record.hardware)
      \(losses)

      <details><summary>Recipe</summary>

      ```yaml
      \(recipe.yaml.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n"))
      ```

      </details>
      """
  }

  private static func number(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
