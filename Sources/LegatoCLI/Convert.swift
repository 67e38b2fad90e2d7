import ArgumentParser
import Foundation
import LegatoModels
import LegatoTensor
import LegatoTraining

/// `legato convert`: a package with its weights in another format.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Store a package's weights in fewer bits.",
    discussion: """
      Writes a package that loads, generates and trains like the original, smaller and faster. int8 has one scale for 64 columns of a \
      row, int4 one for 32; small weights stay f32, and a matrix that cannot be divided so takes the nearest format that it can. \
      Styles go along, and latents of the original codec stay valid.

        legato convert Models/legato-first --weights int8 --output legato-first-int8
        legato generate --model legato-first-int8 --duration 30 --output out.wav
      """)

  @Argument(help: ArgumentHelp("A model package.", valueName: "package"))
  var package: String

  @Option(help: ArgumentHelp("f32, bf16, int8 or int4.", valueName: "format"))
  var weights: WeightPrecision

  @Option(name: .shortAndLong, help: ArgumentHelp("The new package's folder.", valueName: "folder"))
  var output: String

  @Flag(help: "Replace the package that --output names.")
  var force = false

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    let original = try ModelPackage(path: package)
    try checkOutput()
    let converted = try original.converted { $0.converted(to: weights.format(of: $0)) }
    let report = ConversionReport(original, converted, weights, output: output)
    try converted.write(to: output, card: report.card(of: original))
    if reporting.json { return try StandardOutput.json(report) }
    if !reporting.quiet {
      for note in report.notes { StandardError.write("note: \(note)\n") }
      for line in report.lines { try StandardOutput.line(line) }
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
    try OutputNames.checkFolder(of: output)
  }
}

extension WeightPrecision: ExpressibleByArgument {}
