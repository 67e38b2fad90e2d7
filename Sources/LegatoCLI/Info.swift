import ArgumentParser
import Foundation

/// `legato info`: what a thing on the disk is.
struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a package, codec, run, checkpoint, corpus or file is.",
    discussion: """
      Sizes, codec, licence, how it was trained. Without a path: the package that ships with Legato.

        legato info Models/legato-first
        legato info runs/mine
        legato info runs/mine/checkpoints/step-2000 --json
        legato info song.flac
      """)

  @Argument(help: "A folder or a file. (default: LEGATO_MODEL, or the package that ships)")
  var path: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let report = try InfoReport.make(path: PackageLocation.find(path))
    try StandardOutput.line(json ? report.json : report.text)
  }
}
