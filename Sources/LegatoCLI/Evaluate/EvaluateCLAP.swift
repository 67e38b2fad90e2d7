import ArgumentParser
import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor
import LegatoTorch
import LegatoTraining

/// `legato evaluate clap`: how well sounds fit their texts.
struct EvaluateCLAP: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clap",
    abstract: "Measure how well sounds fit texts: the CLAP score.",
    discussion: """
      The cosine of a text's vector and a sound's in CLAP's common space, -1 to 1; the mean over all windows of 10 s of a \
      sound, and over sounds with a 95 % interval. Beside it what each sound scores with the other texts, each \
      once, on average: what a score is worth is how far it is above that. Texts are the captions of a manifest, as `legato \
      corpus` writes it, or one for all sounds (--text).

      The weights are published ones of CLAP with HTSAT-tiny or -base without fusion, converted by \
      Scripts/convert-metric-weights.py; vocab.json and merges.txt of roberta-base belong to them.

        legato evaluate clap data/held-out --weights clap.safetensors --vocabulary roberta-base
        legato evaluate clap out --text "slow music of a cello" --weights clap.safetensors --vocabulary roberta-base
      """)

  @Argument(help: ArgumentHelp("A folder, a manifest, or one file.", valueName: "sounds"))
  var sounds: String

  @Option(help: "What all of the sounds should be. (default: the caption of each in the manifest)")
  var text: String?

  @Option(help: "Only this split of the sounds: train, validation or test; repeat it for several.")
  var split: [RecordingList.Split] = []

  @Option(help: ArgumentHelp("CLAP's weights, both towers.", valueName: "file.safetensors"))
  var weights: String

  @Option(help: ArgumentHelp("Holds vocab.json and merges.txt of roberta-base.", valueName: "folder"))
  var vocabulary: String

  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    if let text, text.allSatisfy(\.isWhitespace) {
      throw ValidationError("--text is empty; write what the sounds should be")
    }
  }

  func run() throws {
    StopSignal.install()
    let files = try SoundFiles(label: "sounds", source: sounds, splits: split, keepsCopies: true)
    let texts = try files.items.map { item in
      guard let text = text ?? item.caption, !text.allSatisfy(\.isWhitespace) else {
        throw CommandError(
          "\(item.path): it has no caption; give a manifest whose rows have a \"caption\", or one --text for all"
        )
      }
      return text
    }
    let backend = try TorchBackend(device: .automatic())
    let score = try CLAPScore(weights: weights, vocabulary: vocabulary, on: backend)
    var known: [String: [Float]] = [:]
    for text in texts where known[text] == nil {
      known[text] = backend.withoutGradients { score.vector(of: text) }
      try backend.check()
    }
    let progress = ProgressLine(
      "clap", total: files.items.count, unit: "sound", style: reporting.terminalProgress)
    defer { progress.finish() }
    var pairs: [CLAPReport.Pair] = []
    for (item, text) in zip(files.items, texts) {
      let vector = try files.result(of: item, ()) { sound, _, _ in
        let vector = try backend.withoutGradients { try score.vector(of: sound) }
        try backend.check()
        return vector
      }
      pairs.append(.init(sound: item.path, text: text, vector: vector))
      progress.update(pairs.count)
    }
    let report = CLAPReport(
      pairs, texts: known, weights: try SafetensorsFile(path: weights).sha256(), warnings: files.warnings)
    for warning in report.warnings where !reporting.json { StandardError.write("warning: \(warning)\n") }
    if reporting.json { try StandardOutput.json(report) } else { try StandardOutput.line(report.text) }
  }
}
