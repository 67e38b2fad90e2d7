import ArgumentParser
import Foundation
import Legato
import LegatoAudio
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato evaluate sounds`: how near sets of sounds are to real ones.
struct EvaluateSounds: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sounds",
    abstract: "Measure how near generated sounds are to real ones: Fréchet distance, FD∞, KAD, KL, IS.",
    discussion: """
      Compares sounds, or what packages generate, with real ones in one or several embeddings. Each metric of each \
      embedder is a table: with 95 % intervals (a jackknife over sounds, never windows), the values of two disjoint halves, \
      what real sounds reach against real ones at the same count, and counts. Candidates of one label are trainings \
      of one model with different seeds: they get a mean and an interval.

      Embedders: patches (log-mel patches on principal components of the reference: compare within one report only), \
      latents (of a codec, --weights latents=PACKAGE), classifier (Legato's own, of instruments and keys), and on libtorch \
      with their published weights vggish, cnn14, cnn14-16k and clap (--weights clap=FILE; Scripts/convert-metric-weights.py \
      makes the file). KL and IS need classes: classifier and cnn14 have some. Nothing is kept on disk between runs.

        legato evaluate --reference data/held-out --candidate out
        legato evaluate --reference data/held-out --candidate mine=runs/a/package --candidate mine=runs/b/package \\
          --candidate recordings=other --embedder patches --embedder latents --output report

      Writes OUTPUT.json and OUTPUT.html, one page with players and pictures, if --output is given.
      """)

  @Option(
    help: ArgumentHelp("Real sounds: a folder, a manifest, or one file.", valueName: "recordings"))
  var reference: String

  @Option(help: "Only this split of the reference, train, validation or test; repeat it for several.")
  var split: [RecordingList.Split] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Sounds to measure: a folder, a manifest, one file, or a model package, which generates; or LABEL=one of these. "
        + "Repeat it for several.", valueName: "[label=]sounds"))
  var candidate: [String]

  @Option(
    name: .shortAndLong,
    help: "What makes vectors of sounds; repeat it for several: \(EmbedderChoice.names). (default: patches)")
  var embedder: [EmbedderChoice] = []

  @Option(help: ArgumentHelp("An embedder's weights; repeat it for several.", valueName: "embedder=file"))
  var weights: [String] = []

  @Option(help: "Seeds that a package generates from, from --seed on.")
  var count = 16

  @Option(name: .shortAndLong, help: "Length of what a package generates, such as 30s.")
  var duration = "30s"

  @Option(help: "The first seed of what packages generate, and the seed of all draws of the measurement.")
  var seed: UInt64 = 1

  @OptionGroup var settings: GenerationSettings

  @Flag(help: "Draw the parts of FD∞ with replacement, as fadtk does.")
  var withReplacement = false

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Files to write, without their endings.", valueName: "path"))
  var output: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (1...10_000).contains(count) else {
      throw ValidationError("--count is \(count); it must be from 1 to 10000")
    }
    guard let seconds = DurationText.seconds(duration), (1...86_400).contains(seconds) else {
      throw ValidationError("--duration is '\(duration)'; write a time such as 30s or 5m, at most a day")
    }
    guard !candidate.isEmpty else {
      throw ValidationError("name at least one --candidate: a folder of sounds, or a model package")
    }
    _ = try weightsByEmbedder()
  }

  func run() throws {
    if let output {
      for ending in ["json", "html"] { try OutputNames.checkFolder(of: "\(output).\(ending)") }
    }
    StopSignal.install()
    let named = try LabelledPath.all(candidate)
    let packages = try named.map { $0.isPackage ? try ModelPackage(path: $0.path) : nil }
    let real = try SoundFiles(label: "reference", source: reference, splits: split, keepsCopies: false)
    let generated = try GeneratedSounds()
    let style = reporting.loggedProgress
    var candidates: [SoundFiles] = []
    var described: [SoundReport.Source] = []
    for (name, package) in zip(named, packages) {
      var description = SoundReport.Source(label: name.label, source: name.path)
      if let package {
        let options = try (0..<count).map { try settings.options(seed: seed &+ UInt64($0), package: package) }
        candidates.append(
          try generated.make(
            package, options, seconds: Double(DurationText.seconds(duration) ?? 0), label: name.label,
            threads: threads.value, style: style))
        description.generation = "\(count) seeds from \(seed) on, \(duration) each; \(Self.text(options))"
        description.weights = try package.sha256()
      } else {
        // What is compared with itself is the same on both sides, and a generator that says one thing twice is not spared.
        let isReference = RealRecordings.identity(name.path) == RealRecordings.identity(reference)
        if isReference { description.splits = split.map(\.rawValue) }
        candidates.append(
          try SoundFiles(
            label: name.label, source: name.path, splits: isReference ? split : [], keepsCopies: !isReference)
        )
      }
      described.append(description)
    }
    var warnings: [String] = []
    let report: SoundReport
    do {
      report = try withExtendedLifetime(generated) {
        let report = try measure(real, candidates, described, style: style, warnings: &warnings)
        if let output { try write(report, real, candidates, to: output) }
        return report
      }
    } catch {
      // They may be why it failed.
      if !(error is ExitCode) { for warning in warnings { StandardError.write("warning: \(warning)\n") } }
      throw error
    }
    if reporting.json {
      try StandardOutput.json(report)
    } else if !reporting.quiet || output == nil {
      for warning in report.warnings { StandardError.write("warning: \(warning)\n") }
      try StandardOutput.line(report.text)
      if let output { try StandardOutput.line("\n\(output).json\n\(output).html") }
    }
  }

  private func measure(
    _ real: SoundFiles, _ candidates: [SoundFiles], _ described: [SoundReport.Source], style: ProgressStyle,
    warnings: inout [String]
  ) throws -> SoundReport {
    var (reference, found) = try real.survey(
      SoundReport.Source(label: real.label, source: real.source), threads: threads.value, style: style)
    warnings += found
    var sources: [SoundReport.Source] = []
    for (files, description) in zip(candidates, described) {
      let (source, found) = try files.survey(description, threads: threads.value, style: style)
      sources.append(source)
      warnings += found
      let common = files.common(with: real)
      if common > 0 {
        warnings.append(
          "\(files.label): \(common) of \(files.items.count) sounds are the reference's own; a distance to oneself says nothing"
        )
      }
      if Set(source.channels.keys) != Set(reference.channels.keys) {
        warnings.append(
          "\(files.label): sounds of \(source.channels.keys.sorted().joined(separator: ", ")) channels are compared with a reference of "
            + "\(reference.channels.keys.sorted().joined(separator: ", ")); the latents of a codec hear the difference"
        )
      }
      if Set(source.sampleRates.keys) != Set(reference.sampleRates.keys) {
        warnings.append(
          "\(files.label): sounds at \(source.sampleRates.keys.sorted().joined(separator: ", ")) Hz are compared with a reference at "
            + "\(reference.sampleRates.keys.sorted().joined(separator: ", ")) Hz; a lower rate lacks high frequencies"
        )
      }
    }
    reference.label = real.label
    reference.splits = split.map(\.rawValue)
    let weights = try weightsByEmbedder()
    var tables: [MetricTable] = []
    var options = SoundComparison.Options()
    (options.seed, options.withReplacement) = (seed, withReplacement)
    for choice in embedders {
      let embedder = try choice.prepared(
        for: real, weights: weights[choice], threads: threads.value, style: style)
      let set = try embedder.embedded(real, name: choice.rawValue, style: style)
      let compared = try candidates.map {
        SoundComparison.Candidate(
          label: $0.label, source: $0.source,
          set: try embedder.embedded($0, name: choice.rawValue, style: style))
      }
      warnings += (set.warnings + compared.flatMap(\.set.warnings)).filter { !warnings.contains($0) }
      let progress = ProgressLine(
        "compare: \(choice.rawValue)", total: compared.count, unit: "candidate", style: style)
      var done = 0
      tables += try SoundComparison(reference: set, options: options).tables(
        compared, check: { if let code = StopSignal.exitCode { throw ExitCode(code) } },
        measured: {
          done += 1
          progress.update(done)
        })
      progress.finish()
    }
    return SoundReport(
      reference: reference, candidates: sources, tables: tables, warnings: warnings, seed: seed)
  }

  private func write(_ report: SoundReport, _ real: SoundFiles, _ candidates: [SoundFiles], to output: String)
    throws
  {
    let page = report.html(excerpts: try SoundFiles.excerpts([real] + candidates))
    try DurableFile.write(Array((JSONLine.text(report) + "\n").utf8), to: output + ".json")
    try DurableFile.write(Array(page.utf8), to: output + ".html")
  }

  private var embedders: [EmbedderChoice] {
    var found: [EmbedderChoice] = []
    for choice in embedder.isEmpty ? [.patches] : embedder where !found.contains(choice) {
      found.append(choice)
    }
    return found
  }

  private func weightsByEmbedder() throws -> [EmbedderChoice: String] {
    var found: [EmbedderChoice: String] = [:]
    for text in weights {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let choice = EmbedderChoice(rawValue: parts[0]) else {
        throw ValidationError(
          "--weights '\(text)': write EMBEDDER=FILE, with one of \(EmbedderChoice.names)")
      }
      guard embedders.contains(choice) else {
        throw ValidationError("--weights '\(text)': --embedder \(choice.rawValue) is not asked for")
      }
      found[choice] = parts[1]
    }
    return found
  }

  private static func text(_ all: [GenerationOptions]) -> String {
    let options = all[0]
    var styles: [String] = []
    for name in all.map({ $0.style?.name ?? "none" }) where !styles.contains(name) { styles.append(name) }
    return
      "temperature \(options.temperature), \(options.steps) steps, context noise \(options.contextNoise), feedback gain "
      + "\(options.feedbackGain), style \(styles.joined(separator: ", "))\(styles.count > 1 ? " in turn" : "")"
  }
}

/// PATH, or LABEL=PATH.
struct LabelledPath: Sendable, Equatable {
  var label: String
  var path: String
  /// Whether the label is the path's own.
  private(set) var isUnnamed = false

  init(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    if parts.count == 2, !FileManager.default.fileExists(atPath: text) {
      (label, path) = (parts[0], parts[1])
    } else {
      let name = (text as NSString).lastPathComponent
      (label, path) = (name.isEmpty || name == "." ? text : name, text)
      isUnnamed = true
    }
  }

  /// Candidates as a person named them. Only a label that was given makes several into trainings of one model: what has the name of
  /// its folder alone gets the whole path where another has it, too.
  ///
  /// Throws a validation error where one path stands twice under a label.
  static func all(_ texts: [String]) throws -> [LabelledPath] {
    var all = texts.map(LabelledPath.init)
    let labels = all.map(\.label)
    for index in all.indices where all[index].isUnnamed {
      if labels.indices.contains(where: { $0 != index && labels[$0] == labels[index] }) {
        all[index].label = all[index].path
      }
    }
    for (index, one) in all.enumerated() where all[..<index].contains(one) {
      throw ValidationError(
        "\(texts[index]) is there twice; the same once more is no second training")
    }
    return all
  }

  /// A folder with a configuration: its own reader says what is wrong with it.
  var isPackage: Bool { FileManager.default.fileExists(atPath: path + "/config.json") }
}

extension EmbedderChoice {
  static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
