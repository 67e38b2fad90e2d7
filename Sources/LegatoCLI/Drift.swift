import ArgumentParser
import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato drift`: whether long generations stay real music.
struct Drift: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure whether long generations stay like real music.",
    discussion: """
      Generates from many seeds and compares each minute with real recordings that training has not seen: Fréchet \
      distance and MMD of log-mel patches, level, spectral centroid, onsets, pitch salience, pitch classes, change, \
      silence, distance to the minute before (a loop or a drone repeats it) and, with --training, distance to the \
      nearest training excerpt (a copy has none). Real recordings give the spread of each, 5 to 95 %, and the floor; \
      real recordings through the codec are measured beside them. All combinations of models, temperatures, context \
      noises and feedback gains are measured. Models of one label differ in their training's seed: they get a mean and an interval.

        legato drift --recordings data/held-out --training data/corpus --output out/drift
        legato drift --recordings data/held-out --count 1 --duration 1h --output out/hour
        legato drift --recordings data/held-out --model noise=runs/a/package --model noise=runs/b/package \\
          --model plain=runs/c/package --context-noise 0 --context-noise 0.25 --output out/drift

      Writes OUTPUT.md, OUTPUT.svg and OUTPUT.json. Needs at least 64 real recordings of six minutes for good figures.
      """)

  @OptionGroup var models: ModelsOption

  @Option(
    help: ArgumentHelp(
      "Real recordings that training has not seen: a folder or a manifest. What --training trains on is left out.",
      valueName: "recordings"))
  var recordings: String

  @Option(help: "Only this split of the recordings: train, validation or test; repeat it for several.")
  var split: [RecordingList.Split] = []

  @Option(
    help: ArgumentHelp(
      "What the models were trained on, a folder or a manifest, to find copies of it.",
      valueName: "recordings"))
  var training: String?

  @Option(
    help: ArgumentHelp(
      "Latents of the real recordings, made by `legato prepare` with the models' codec, to compare latents too.",
      valueName: "folder"))
  var latents: String?

  @Option(name: .shortAndLong, help: "Length of each generation, such as 90s or 10m.")
  var duration = "10m"

  @Option(help: "How many seeds, from --seed on.")
  var count = 16

  @Option(help: "The first seed.")
  var seed: UInt64 = 1

  @Option(help: "Length of a stretch in seconds.")
  var bin = 60.0

  @OptionGroup var variants: SettingVariants

  @Option(
    help:
      "How loud the model hears itself, 0.5 to 2: a factor of what is fed back; repeat it for several. (default: the package's)"
  )
  var feedbackGain: [Float] = []

  @OptionGroup var style: StyleOption

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Files to write, without their endings.", valueName: "path"))
  var output: String

  @Option(help: ArgumentHelp("Write the sound that is farthest from real music.", valueName: "file.wav"))
  var worstAudio: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard let seconds = DurationText.seconds(duration), (2...86_400).contains(seconds) else {
      throw ValidationError("--duration is '\(duration)'; write a time such as 90s or 10m, at most a day")
    }
    guard (1...10_000).contains(count) else {
      throw ValidationError("--count is \(count); it must be from 1 to 10000")
    }
    guard bin >= 2, bin <= Double(seconds) else {
      throw ValidationError("--bin is \(bin); it must be from 2 seconds to the duration")
    }
    try GenerationDefaults.validate(feedbackGain, as: \.feedbackGain)
  }

  func run() throws {
    let settings = try DriftSetting.all(
      models: models.model.isEmpty ? [PackageLocation.find(nil)] : models.model, variants: variants,
      feedbackGains: feedbackGain, style: style)
    for setting in settings { _ = try setting.options(seed: seed) }
    for ending in ["md", "svg", "json"] { try OutputNames.checkFolder(of: "\(output).\(ending)") }
    if let worstAudio {
      try OutputNames.checkWAV(worstAudio)
      try OutputNames.checkFolder(of: worstAudio)
    }
    let seen = try training.map { try RealRecordings($0, splits: [.train]) }
    let real = try RealRecordings(
      recordings, splits: split,
      leavingOut: Set((seen?.items ?? []).map { RealRecordings.identity($0.path) }))
    let realLatents = try latents.map { try readLatents($0, settings) }

    let engine = CPUEngine(threads: threads.value)
    let style = reporting.loggedProgress
    var bank = ExcerptBank()
    for sound in try seen?.measured(
      stretch: nil, threads: threads.value, label: "training recordings", style: style) ?? []
    {
      bank.add(name: sound.name, frames: sound.frames)
    }
    let measured = try real.measured(
      stretch: bin, threads: threads.value, label: "real recordings", style: style)
    let search = ProgressLine("search for copies", total: bank.count, unit: "recording", style: style)
    let reference = try DriftReference(measured, training: bank, engine: engine) { search.update($0) }
    search.finish()
    // Before what takes hours.
    let found = real.warnings + (try warnings(real, measured, settings))
    if !reporting.quiet { for warning in found { StandardError.write("warning: \(warning)\n") } }
    let long = measured.filter { $0.stretches > 0 }
    // As many real recordings as there are seeds: against the others, and through the codec.
    let chosen = Self.longEnough(
      long, count: max(1, min(count, long.count / 2)), stretches: Int(seconds / bin))
    let control = try DriftReport(
      DriftSystem(
        name: "\(chosen.count) real recordings", sounds: chosen.map { long[$0] }, leavingOut: Set(chosen)),
      reference: reference, engine: engine)
    let reconstructions = try reconstructions(
      settings, of: chosen, among: long, reference: reference, engine: engine)
    let systems = try systems(settings, reference: reference, latents: realLatents, engine: engine)
    let study = DriftStudy(
      title: title(settings),
      method: count == 1
        ? "One sound of \(duration), seed \(seed)."
        : "\(count) seeds from \(seed) on, \(duration) each, made in one go.",
      reference: reference,
      source: ([recordings] + split.map(\.rawValue)).joined(separator: ", "),
      latents: realLatents, systems: systems, real: control, reconstructions: reconstructions, warnings: found
    )
    try write(study, told: found)
    try writeWorst(study, settings)
  }

  private var seconds: Double { Double(DurationText.seconds(duration) ?? 0) }

  private func title(_ settings: [DriftSetting]) -> String {
    var names: [String] = []
    for setting in settings where !names.contains(setting.label) { names.append(setting.label) }
    return "Drift of " + names.joined(separator: " and ")
  }

  private func readLatents(_ folder: String, _ settings: [DriftSetting]) throws -> LatentReference {
    let data = try LatentDataset(path: folder)
    for setting in settings { try data.index.check(codecHash: setting.package.codec.hash, folder: folder) }
    return try LatentReference(data)
  }

  /// Some real recordings through each codec, against the others.
  private func reconstructions(
    _ settings: [DriftSetting], of chosen: [Int], among long: [MeasuredSound], reference: DriftReference,
    engine: CPUEngine
  ) throws -> [DriftStudy.Reconstruction] {
    var codecs: [(hash: String, setting: DriftSetting)] = []
    for setting in settings where !codecs.contains(where: { $0.hash == setting.package.codec.hash }) {
      codecs.append((setting.package.codec.hash, setting))
    }
    let progress = ProgressLine(
      "codec", total: codecs.count * chosen.count, unit: "recording", style: reporting.loggedProgress)
    defer { progress.finish() }
    return try codecs.enumerated().map { number, codec in
      let package = codec.setting.package.codec
      let sounds = try ParallelWork.map(
        chosen.count, threads: threads.value, done: { progress.update(number * chosen.count + $0) }
      ) { index in
        try ReconstructedRecording.measure(
          long[chosen[index]].name, codec: package.codec, seconds: seconds, stretch: bin)
      }
      let name =
        "the same through the codec" + (codecs.count > 1 ? " of \(codec.setting.label)" : "")
      return DriftStudy.Reconstruction(
        codec: codec.hash,
        report: try DriftReport(
          DriftSystem(name: name, sounds: sounds, leavingOut: Set(chosen)), reference: reference,
          engine: engine))
    }
  }

  /// Evenly chosen among those that last as long as the generations, or as the longest.
  private static func longEnough(_ sounds: [MeasuredSound], count: Int, stretches: Int) -> [Int] {
    let lengths = sounds.map(\.stretches).sorted(by: >)
    let wanted = min(stretches, lengths[min(count, lengths.count) - 1])
    let candidates = sounds.indices.filter { sounds[$0].stretches >= wanted }
    return (0..<count).map { candidates[$0 * candidates.count / count] }
  }

  private func systems(
    _ settings: [DriftSetting], reference: DriftReference, latents: LatentReference?, engine: CPUEngine
  ) throws -> [DriftStudy.System] {
    let weights = try settings.map { try $0.package.sha256() }
    let progress = SharedProgress(
      "generate", total: Double(settings.count * count) * seconds, unit: "second",
      style: reporting.loggedProgress)
    defer { progress.finish() }
    return try zip(settings, weights).map { setting, weights in
      let rollouts = try MeasuredRollout.all(
        of: setting.package, try (0..<count).map { try setting.options(seed: seed + UInt64($0)) },
        seconds: seconds, stretch: bin, keepsLatents: latents != nil, threads: threads.value,
        made: progress.add)
      let system = DriftSystem(
        name: setting.name, sounds: rollouts.map(\.sound),
        latents: latents == nil ? [] : rollouts.map(\.latents),
        latentRate: setting.package.codec.codec.frameRate)
      return DriftStudy.System(
        report: try DriftReport(system, reference: reference, latents: latents, engine: engine),
        group: setting.group, model: setting.package.path, weights: weights,
        codec: setting.package.codec.hash,
        settings: setting.generation, style: setting.styleText)
    }
  }

  /// What makes real recordings a bad measure of these models, or drift invisible.
  private func warnings(_ real: RealRecordings, _ measured: [MeasuredSound], _ settings: [DriftSetting])
    throws -> [String]
  {
    var warnings: [String] = []
    let silent = measured.filter { sound in
      sound.stretches > 0 && sound.measures.allSatisfy { $0.levelDBFS < Self.silence }
    }
    if let first = silent.first {
      warnings.append(
        "\(silent.count) of \(measured.count) real recordings are silent, such as \(first.name)")
    }
    let rates = Set(try real.items.map { try AudioFile.info($0.path).sampleRate }).sorted()
    let own = Set(settings.map(\.package.codec.codec.sampleRate)).sorted()
    if rates != own, let lowest = (rates + own).min(), lowest < 2 * Int(LogMelAnalyser.highest) {
      func text(_ rates: [Int]) -> String { rates.map(String.init).joined(separator: ", ") }
      warnings.append(
        "real recordings have \(text(rates)) Hz, and what is generated has \(text(own)) Hz; a lower rate lacks high frequencies"
      )
    }
    for setting in settings {
      let codec = setting.package.codec.codec
      let window = Double(setting.package.model.configuration.backbone.window) / codec.frameRate
      let warning =
        "\(setting.label) reads \(Estimate.digits(window)) s back in each of its layers; generations of \(duration) are not several times as long, and show no drift"
      if seconds < 3 * window, !warnings.contains(warning) { warnings.append(warning) }
    }
    return warnings
  }

  /// dBFS.
  private static let silence = -60.0

  /// - Parameter told: warnings that were written before.
  private func write(_ study: DriftStudy, told: [String]) throws {
    let picture = output + ".svg"
    try study.picture().write(to: picture)
    try DurableFile.write(Array((JSONLine.text(study) + "\n").utf8), to: output + ".json")
    let text = study.markdown(picture: (picture as NSString).lastPathComponent)
    try DurableFile.write(Array(text.utf8), to: output + ".md")
    if reporting.json {
      for system in study.systems { try StandardOutput.json(system) }
    } else if !reporting.quiet {
      for warning in study.warnings where !told.contains(warning) {
        StandardError.write("warning: \(warning)\n")
      }
      for system in study.systems { try StandardOutput.line(study.summary(of: system)) }
      try StandardOutput.line("\(output).md\n\(output).svg\n\(output).json")
    }
  }

  /// The farthest sound of every system, made again: the same seed gives the same sound.
  private func writeWorst(_ study: DriftStudy, _ settings: [DriftSetting]) throws {
    guard let worstAudio else { return }
    for (index, (setting, system)) in zip(settings, study.systems).enumerated() {
      let path = OutputNames.numbered(worstAudio, index + 1, of: settings.count)
      let piece = GeneratedPiece(
        path: path, format: .pcm16, seconds: seconds, prompt: nil, includesPrompt: false, keepsStyle: true,
        picture: nil,
        progress: reporting.loggedProgress)
      _ = try piece.make(
        package: setting.package, options: try setting.options(seed: seed + UInt64(system.report.worst)),
        threads: threads.value)
      if !reporting.quiet, !reporting.json { try StandardOutput.line(path) }
    }
  }
}
