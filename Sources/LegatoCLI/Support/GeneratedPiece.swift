import Foundation
import Legato
import LegatoAudio
import LegatoCodecs
import LegatoModels
import LegatoTraining

/// Makes one piece and writes it as it is made.
struct GeneratedPiece {
  var path: String
  var format: WAVWriter.Format
  /// Nil is endless.
  var seconds: Double?
  var prompt: AudioBuffer?
  var includesPrompt: Bool
  /// Whether the style stays what the options say, whatever the prompt is like.
  var keepsStyle: Bool
  var picture: String?
  var progress: ProgressStyle

  /// Seconds of fade when somebody stops it.
  private static let stopFade = 0.25
  /// Frames that may be no music, from the first on, before there is no hope of better ones.
  private static let mostFailures = 10

  /// - Returns: the report, and why there is no picture where it could not be drawn: the sound is there all the same.
  func make(
    package: ModelPackage, options: GenerationOptions, threads: Int?
  ) throws -> (report: GenerationReport, pictureFailure: (any Error)?) {
    let codec = package.codec.codec
    if let picture { try OutputNames.checkFolder(of: picture) }
    let writer = try WAVWriter(path, sampleRate: codec.sampleRate, channels: codec.channels, format: format)
    var sketch = picture.map { _ in PictureSketch(sampleRate: codec.sampleRate) }
    let line = ProgressLine(
      "generating", total: seconds.map { Int($0.rounded(.up)) }, unit: "second", style: progress)

    let start = monotonicSeconds()
    let session = Session(package, options: options, threads: threads)
    var join: PromptJoin?
    if let prompt {
      try session.prompt(prompt.channels, keepsStyle: keepsStyle)
      if includesPrompt { join = PromptJoin(prompt, delay: codec.delay) }
    }
    let source = ChunkSource(session, seconds: seconds)
    var firstAudio: Double?
    var (made, chunks) = (0, 0)
    var stopped = false
    // Throws where the weights are no music, though every one of them is a number.
    func check() throws {
      guard chunks > 0, source.failedFrames >= chunks else { return }
      let part = session.latents.failures > 0 ? "the model draws no latent" : "the codec gives no sound"
      throw CommandError(
        "\(package.path): \(part) of bearable size: its weights are damaged or far too large; restore the package, or train it again with a lower learning rate"
      )
    }
    do {
      if let head = join?.head {
        try writer.append(head.channels)
        sketch?.append(head.channels)
      }
      var ending: Fade?
      var left = Int(Self.stopFade * Double(codec.sampleRate))
      while left > 0, var chunk = source.next() {
        if firstAudio == nil { firstAudio = monotonicSeconds() - start }
        chunks += 1
        if chunks > Self.mostFailures { try check() }
        if ending == nil, StopSignal.isRequested {
          stopped = true
          ending = Fade(fadeIn: 0, fadeOut: left, totalFrames: left)
        }
        made += chunk.channels[0].count
        join?.mix(into: &chunk.channels)
        if ending != nil {
          let length = min(left, chunk.channels[0].count)
          chunk.channels = ending?.process(chunk.channels.map { Array($0.prefix(length)) }) ?? []
          left -= length
        }
        try writer.append(chunk.channels)
        sketch?.append(chunk.channels)
        line.update(made / codec.sampleRate)
      }
      try check()
    } catch AudioError.outputClosed {
      // Closing the player is how one stops listening.
      stopped = true
    }
    line.finish()
    let spent = monotonicSeconds() - start
    try writer.finish()
    let pictureFailure = PictureSketch.failure {
      if let picture { try sketch?.write(title: (path as NSString).lastPathComponent, to: picture) }
    }
    let report = GenerationReport(
      path: path, picture: pictureFailure == nil ? picture : nil, seed: options.seed,
      seconds: Double(writer.framesWritten) / Double(codec.sampleRate),
      realTimeFactor: Double(made) / Double(codec.sampleRate) / max(spent, 1e-9),
      firstAudioMilliseconds: (firstAudio ?? spent) * 1000, recoveries: session.latents.recoveries,
      limitedSamples: source.limitedSamples, stopped: stopped,
      model: .init(
        name: package.configuration.name, path: package.path, licence: package.configuration.licence),
      settings: .init(
        style: session.options.style?.name, temperature: options.temperature, steps: options.steps,
        contextNoise: options.contextNoise,
        feedbackGain: options.feedbackGain, threads: session.threads, instructionSet: session.instructionSet))
    return (report, pictureFailure)
  }
}
