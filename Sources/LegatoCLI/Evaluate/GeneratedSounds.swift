import ArgumentParser
import Foundation
import Legato
import LegatoAudio
import LegatoModels
import LegatoTensor
import LegatoTraining

/// Sounds that a package makes to be measured, as files in a folder that is gone with this object.
final class GeneratedSounds {
  private let folder: String

  init() throws {
    folder =
      FileManager.default.temporaryDirectory.appendingPathComponent(
        "legato-evaluate-\(UUID().uuidString)"
      ).path
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw SystemCallError("create the folder for what is generated", path: folder, error)
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// One sound of each of `options`, without fades, samples as they are.
  func make(
    _ package: ModelPackage, _ options: [GenerationOptions], seconds: Double, label: String, threads: Int,
    style: ProgressStyle
  ) throws -> SoundFiles {
    let workers = max(1, min(threads, options.count))
    let own = folder + "/" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
    let progress = SharedProgress(
      "generate: \(label)", total: Double(options.count) * seconds, unit: "second", style: style)
    defer { progress.finish() }
    let items = try ParallelWork.map(options.count, threads: workers) { number in
      let name = "seed-\(options[number].seed)"
      try Self.write(
        package, options[number], seconds: seconds, to: "\(own)/\(name).wav",
        threads: max(1, threads / workers), made: progress.add)
      return SoundFiles.Item(path: "\(own)/\(name).wav", name: name)
    }
    return SoundFiles(label: label, source: package.path, items: items)
  }

  private static func write(
    _ package: ModelPackage, _ options: GenerationOptions, seconds: Double, to path: String, threads: Int,
    made: (Double) -> Void
  ) throws {
    let session = Session(package, options: options, threads: threads)
    var limiter = TruePeakLimiter(sampleRate: session.sampleRate, channels: session.channels)
    let writer = try WAVWriter(
      path, sampleRate: session.sampleRate, channels: session.channels, format: .float32)
    var left = Int((seconds * Double(session.sampleRate)).rounded())
    var late = limiter.latency
    while left > 0 {
      if let code = StopSignal.exitCode { throw ExitCode(code) }
      let sound = limiter.process(session.next().channels)
      let skipped = min(late, sound[0].count)
      late -= skipped
      let length = min(left, sound[0].count - skipped)
      try writer.append(sound.map { Array($0[skipped..<skipped + length]) })
      left -= length
      made(Double(length) / Double(session.sampleRate))
    }
    guard session.latents.failures == 0 else {
      throw CommandError(
        "\(package.path): seed \(options.seed): the model draws no latent of bearable size; its weights are damaged: restore the "
          + "package, or train it again with a lower learning rate")
    }
    try writer.finish()
  }
}
