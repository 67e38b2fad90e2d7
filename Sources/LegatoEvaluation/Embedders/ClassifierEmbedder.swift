import LegatoAudio
import LegatoModels
import LegatoTensor

/// Embeddings of Legato's own classifier of instruments and keys, a row a second: needs no download.
///
/// A pretrained embedding knows all sounds; this one knows the instruments that it was trained on, and what they play.
public final class ClassifierEmbedder: AudioEmbedder {
  public let details: EmbedderDetails
  private let classifier: NoteClassifier
  private let engine: CPUEngine
  /// Windows that go through the network at once.
  private static let batch = 16

  public init(_ package: NoteClassifierPackage, engine: CPUEngine) {
    (classifier, self.engine) = (package.classifier, engine)
    let sizes = package.classifier.configuration
    let seconds = Double(LogFrequencySpectrum.samples) / Double(LogFrequencySpectrum.sampleRate)
    details = EmbedderDetails(
      name: "classifier", weights: package.sha256, sampleRate: LogFrequencySpectrum.sampleRate,
      dimension: sizes.dimension, window: seconds, hop: seconds,
      preparation:
        "mono, resampled by soxr VHQ; a last window is padded with zeros where at least half of it is sound, "
        + "or it is the only one; the level of a window does not matter",
      classes: sizes.instruments.map(\.name))
  }

  public func embed(_ sound: AudioBuffer) throws -> EmbeddedSound {
    let size = LogFrequencySpectrum.samples
    var samples = try sound.heard(by: details.name, at: LogFrequencySpectrum.sampleRate)
    let windows = max(1, (samples.count + size / 2) / size)
    samples.removeLast(max(0, samples.count - windows * size))
    samples += repeatElement(0, count: windows * size - samples.count)
    var embedded = EmbeddedSound(rows: [])
    var logits = [Double](repeating: 0, count: details.classes.count)
    for first in stride(from: 0, to: windows, by: Self.batch) {
      let count = min(Self.batch, windows - first)
      let heard = classifier(
        engine.tensor(Array(samples[first * size..<(first + count) * size]), shape: [count, size]))
      embedded.rows += heard.embedding.floats()
      for (index, logit) in heard.instruments.floats().enumerated() {
        logits[index % logits.count] += Double(logit) / Double(windows)
      }
    }
    embedded.logits = logits.map { Float($0) }
    return embedded
  }
}
