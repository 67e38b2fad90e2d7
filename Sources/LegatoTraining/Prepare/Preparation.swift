import Foundation
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// `legato prepare`: turns recordings into a folder of latents that a model trains on.
///
/// Resumable: shards appear whole or not at all, and latents of recordings that have not changed are kept. The same
/// recordings and codec give the same bytes at any number of threads and after any number of stops.
public struct Preparation: Sendable {
  public let options: PrepareOptions
  let codec: CodecPackage

  /// - Throws: ``PrepareError`` for options that make no sense; a package error for the codec.
  public init(_ options: PrepareOptions) throws {
    try options.check()
    self.options = options
    codec = try CodecPackage(path: options.codec)
  }

  /// Prepares everything; recordings that cannot be used are skipped and named in the report.
  ///
  /// - Parameter isCancelled: asked often, from any thread; when true the call throws soon.
  /// - Throws: ``TrainingError`` without recordings, ``PrepareError`` (none usable, cancelled, cannot write), ``LatentError`` where the disk
  ///   is full, an audio error where a library is missing.
  public func run(
    style: ProgressStyle = .automatic, output: any ProgressOutput = StandardErrorOutput(),
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws -> PrepareReport {
    let list = try RecordingSet(input: options.input, validationShare: options.validationShare)
    let isNew = !FileManager.default.fileExists(atPath: options.output)
    let names = try openOutput()
    var plan = ShardPlan(
      recordings: list.recordings, codecHash: codec.hash, dimension: codec.codec.latentDimension,
      folder: options.output)
    plan.examine(names: names)

    let mine = plan.shards.indices.filter {
      $0 % options.parts == options.part && !plan.isComplete(plan.shards[$0])
    }
    let total = mine.reduce(0) { $0 + plan.shards[$1].recordings.count }
    let line = ProgressLine("prepare", total: total, unit: "file", style: style, output: output)
    let work = PreparationWork(
      plan: plan, shards: mine, codec: codec.codec, minimumSeconds: options.minimumSeconds, line: line,
      isCancelled: isCancelled)
    defer { line.finish() }
    try work.run(threads: options.threads)

    plan.examine(names: try contents())
    var report = PrepareReport(
      recordings: list.recordings.count, encoded: work.encoded, kept: 0, skipped: [],
      shards: plan.shards.count, missingShards: 0, warnings: [])
    for index in plan.shards.indices where index % options.parts == options.part {
      let entries = plan.shards[index].existing?.entries ?? []
      report.skipped += entries.compactMap { entry in
        entry.skipped.map { SkippedRecording(path: entry.source.path, reason: $0) }
      }
      report.kept += entries.count { $0.frames != nil }
    }
    report.kept -= report.encoded
    report.missingShards = plan.shards.count { !plan.isMade($0) }
    if report.missingShards == 0 {
      do {
        report.index = try finish(plan, list, line: line)
      } catch let error as PrepareError where error.kind == .noneUsable {
        for shard in plan.shards {
          try? FileManager.default.removeItem(atPath: options.output + "/" + shard.name)
        }
        if isNew { try? FileManager.default.removeItem(atPath: options.output) }
        throw error
      }
      let warning = report.index?.reconstruction?.warning(
        recordings: options.input, codec: options.codec, latents: options.output)
      report.warnings = [list.note, warning].compactMap { $0 }
    }
    return report
  }

  private func openOutput() throws -> [String] {
    do {
      try FileManager.default.createDirectory(atPath: options.output, withIntermediateDirectories: true)
    } catch {
      let refusal = SystemCallError("create the folder", path: options.output, error)
      throw PrepareError(
        .cannotWrite, options.output, "the folder cannot be created: \(refusal.reason)", refusal.remedy)
    }
    return try contents()
  }

  private func contents() throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: options.output)
    } catch {
      throw PrepareError(.cannotWrite, options.output, "the folder cannot be read", "Check its permissions.")
    }
  }
}
