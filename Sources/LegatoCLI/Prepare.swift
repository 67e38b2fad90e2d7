import ArgumentParser
import Foundation
import LegatoTensor
import LegatoTraining

/// `legato prepare`: recordings to latents that a model trains on.
struct Prepare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn recordings into latents to train on.",
    discussion: """
      Takes a folder of recordings (WAV, FLAC, MP3, Ogg, AIFF, and with ffmpeg M4A and others; any rate and channel \
      count), or a manifest: JSON Lines with at least "path", and "split" if you like. Writes safetensors shards and \
      latents.json. What cannot be read is skipped and named. The same command continues what was interrupted, and \
      encodes only what is new.

        legato prepare ~/recordings --output data/latents
        legato prepare data/corpus --codec runs/codec/package --output data/latents
        legato prepare big/manifest.jsonl --part 0 --parts 4 --output data/latents

      At the end it says how well the codec reconstructs these recordings. Where it does badly, fine-tune the codec \
      on them first: no model sounds better than its codec.
      """)

  @Argument(help: ArgumentHelp("A folder of recordings, or a manifest.", valueName: "recordings"))
  var input: String

  @Option(name: .shortAndLong, help: ArgumentHelp("Folder for the latents.", valueName: "folder"))
  var output: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A codec package, or a model package that holds one. (default: LEGATO_MODEL, or the package that ships)",
      valueName: "folder"))
  var codec: String?

  @Option(
    help: "Share of the recordings held out to measure training, where no manifest says which. (default: 0.1)"
  )
  var validationShare: Double?

  @Option(help: "Shorter recordings are skipped, in seconds. (default: 1)")
  var minimumSeconds: Double?

  @Option(help: "Excerpts on which reconstruction is measured; 0 measures none. (default: 16)")
  var excerpts: Int?

  @Option(help: "Several machines: which part this one does, from 0.")
  var part = 0

  @Option(help: "Several machines: how many parts there are.")
  var parts = 1

  @Option(help: "Recordings encoded at once. (default: one a core)")
  var threads: Int?

  @OptionGroup var reporting: OutputOptions

  func run() throws {
    var options = PrepareOptions(input: input, codec: try PackageLocation.findCodec(codec), output: output)
    options.validationShare = validationShare ?? options.validationShare
    options.minimumSeconds = minimumSeconds ?? options.minimumSeconds
    options.excerpts = excerpts ?? options.excerpts
    options.part = part
    options.parts = parts
    options.threads = threads ?? options.threads
    do {
      let report = try Cancellation.run {
        try Preparation(options).run(style: reporting.progress, isCancelled: { StopSignal.isRequested })
      }
      if reporting.json {
        try StandardOutput.json(PrepareSummary(report, folder: output))
      } else {
        try tell(report)
      }
    } catch let error as PrepareError where error.kind == .badOption {
      throw ValidationError(error.description)
    }
  }

  private func tell(_ report: PrepareReport) throws {
    for skipped in report.skipped { StandardError.write("skipped \(skipped.path): \(skipped.reason)\n") }
    if !reporting.quiet {
      try StandardOutput.line(
        "\(output)  \(report.encoded) recordings encoded, \(report.kept) were there, \(report.skipped.count) skipped"
      )
      if let index = report.index {
        let frames = RecordingList.Split.allCases.map { ($0, index.frames(of: $0)) }.filter { $0.1 > 0 }
        let splits = frames.map {
          "\($0.0.rawValue) \(String(format: "%.2f h", Double($0.1) / index.frameRate / 3600))"
        }
        try StandardOutput.line(
          "\(index.pieces.count) pieces, \(splits.joined(separator: ", ")); codec \(index.codecName)")
        if let check = index.reconstruction { try StandardOutput.line("reconstruction: \(Self.text(check))") }
      } else {
        try StandardOutput.line(
          "\(report.missingShards) of \(report.shards) shards are still to be made by the other parts")
      }
    }
    for warning in report.warnings { StandardError.write("warning: \(warning)\n") }
  }

  static func text(_ check: ReconstructionReport) -> String {
    func number(_ value: Double) -> String { String(format: "%.3f", value) }
    let own = check.codecMelDistance.map { ", on the codec's own held-out recordings \(number($0))" } ?? ""
    return "mel distance \(number(check.melDistance)) over \(check.excerpts) excerpts\(own); "
      + "worst \(number(check.worstMelDistance)) in \(check.worstPath)"
  }
}

private struct PrepareSummary: Encodable {
  var folder: String
  var recordings: Int
  var encoded: Int
  var kept: Int
  var skipped: [SkippedRecording]
  var shards: Int
  var missing_shards: Int
  var pieces: Int?
  var hours: Double?
  var reconstruction: ReconstructionReport?
  var warnings: [String]

  init(_ report: PrepareReport, folder: String) {
    self.folder = folder
    recordings = report.recordings
    encoded = report.encoded
    kept = report.kept
    skipped = report.skipped
    shards = report.shards
    missing_shards = report.missingShards
    pieces = report.index?.pieces.count
    hours = report.index?.hours
    reconstruction = report.index?.reconstruction
    warnings = report.warnings
  }
}
