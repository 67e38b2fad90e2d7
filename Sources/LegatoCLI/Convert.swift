import ArgumentParser
import Foundation
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato convert`: a package with its weights in another format.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Store a package's weights in fewer bits.",
    discussion: """
      Writes a package that loads, generates and trains like the original, smaller and faster. int8 has one scale for 64 columns of a \
      row, int4 one for 32. Small weights stay f32; what writes the codec's spectra and the sampler's ends stay bf16. int4 is rounded \
      by what the layers read while the package plays to itself, and as many of the model's matrices become int4 as --tolerance has \
      room for, the others int8: few in a small model. Styles go along, and latents of the original codec stay valid.

        legato convert Models/legato-first --weights int8 --output legato-first-int8
        legato convert Models/legato-first --weights int4 --output legato-first-int4 --reference recordings
        legato generate --model legato-first-int8 --duration 30 --output out.wav

      Then measures what that changed: the velocity along rollouts of the original (by 3 % at most), the codec's mel distance (2 % \
      worse at most), and whether rollouts of the two models differ more than the original's by other seeds. A bar that is missed is \
      said, and no failure.
      """)

  @Argument(help: ArgumentHelp("A model package.", valueName: "package"))
  var package: String

  @Option(help: ArgumentHelp("f32, bf16, int8 or int4.", valueName: "format"))
  var weights: WeightPrecision

  @Option(name: .shortAndLong, help: ArgumentHelp("The new package's folder.", valueName: "folder"))
  var output: String

  @Flag(help: "Replace the package that --output names.")
  var force = false

  @Flag(help: "Do not measure what the conversion changed.")
  var noCheck = false

  @Option(
    help: ArgumentHelp(
      "Recordings to measure the codec on. (default: what the package itself plays)", valueName: "folder"))
  var reference: String?

  @Option(
    help: ArgumentHelp(
      "How far int4 may change the velocity; 100: every matrix becomes int4 that can. (default: 3)",
      valueName: "percent"))
  var tolerance: Double?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  mutating func validate() throws {
    while output.count > 1, output.hasSuffix("/") { output.removeLast() }
    if let tolerance {
      guard weights == .int4 else { throw ValidationError("--tolerance is for --weights int4") }
      guard tolerance > 0, tolerance <= 100 else {
        throw ValidationError("--tolerance is \(tolerance); it must be more than 0, and at most 100")
      }
    }
    if noCheck, reference != nil {
      throw ValidationError("--reference is for the check that --no-check leaves out")
    }
  }

  func run() throws {
    let original = try ModelPackage(path: package)
    guard original.configuration.model.sampler.kind != .codes else {
      throw CommandError(
        "\(package): a model of codes is a baseline to be measured, and is not converted; choose a package of latents"
      )
    }
    try checkOutput()
    let report = try Cancellation.run { try convert(original) }
    if reporting.json { return try StandardOutput.json(report) }
    if !reporting.quiet {
      for note in report.notes { StandardError.write("note: \(note)\n") }
      for line in report.lines { try StandardOutput.line(line) }
    }
  }

  private func convert(_ original: ModelPackage) throws -> ConversionReport {
    let recordings = try reference.map { try self.recordings($0, original.codec) }
    var converter = PackageConverter(package: original, precision: weights)
    converter.threads = threads.value
    if let tolerance { converter.tolerance = tolerance / 100 }
    converter.isCancelled = { StopSignal.isRequested }
    let converted = try converter.run()
    var report = ConversionReport(original, converted, weights, output: output)
    report.tolerance = tolerance
    if !noCheck {
      var check = ConversionCheck(original: original, converted: converted)
      check.threads = threads.value
      check.isCancelled = { StopSignal.isRequested }
      if let reference, let recordings { (check.recordings, check.sound) = (recordings, reference) }
      report.quality = try check.run()
    }
    try converted.write(to: output, card: report.card(of: original))
    return report
  }

  /// Ten seconds from the middle of each recording, at most sixteen, evenly chosen.
  private func recordings(_ source: String, _ codec: CodecPackage) throws -> [AudioBuffer] {
    let items = try RealRecordings(source, splits: []).items
    let most = 16
    return try (0..<min(most, items.count)).map { index in
      let item = items[index * items.count / min(most, items.count)]
      let start = max(0, (try AudioFile.duration(item.path) - 10) / 2)
      let sound = try AudioFile.read(item.path, from: start, seconds: 10)
        .converted(toChannels: codec.codec.channels).resampled(to: codec.codec.sampleRate)
      guard sound.frameCount >= codec.codec.sampleRate else {
        throw CommandError("\(item.path): shorter than a second; give longer recordings")
      }
      return sound
    }
  }

  /// Fails before anything is computed where the folder is not ours to write.
  private func checkOutput() throws {
    func identity(_ path: String) -> String {
      URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
    let (source, target) = (identity(package), identity(output))
    guard source != target, !target.hasPrefix(source + "/"), !source.hasPrefix(target + "/") else {
      throw CommandError(
        "--output \(output): this is the package itself, or lies in it or around it; name another folder")
    }
    if FileManager.default.fileExists(atPath: output) {
      guard force else {
        throw CommandError("--output \(output) exists; name another folder, or replace it with --force")
      }
      guard (try? ModelPackage(path: output)) != nil else {
        throw CommandError(
          "--output \(output) exists and is no model package; --force replaces packages alone")
      }
    }
    // The folder is written beside its place first.
    try OutputNames.checkFolder(of: output + ".partial")
  }
}

extension WeightPrecision: ExpressibleByArgument {}
