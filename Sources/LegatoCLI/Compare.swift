import ArgumentParser
import Foundation
import LegatoAudio
import LegatoEvaluation
import LegatoTensor

/// `legato compare`: how far a copy of a recording is from it.
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how far a copy is from its original.",
    discussion: """
      Prints the mel distance (log-mel L1, 80 bands, natural logarithm) and the multi-resolution STFT distance \
      (spectral convergence and log-magnitude, FFT 2048, 1024 and 512). Both are 0 for equal recordings. The copy is \
      brought to the original's rate and channels and cut to the shorter length.

        legato encode song.wav --output song.safetensors
        legato decode song.safetensors --output copy.wav
        legato compare song.wav copy.wav --picture both.png
      """)

  @Argument(help: ArgumentHelp("The original recording.", valueName: "original"))
  var reference: String

  @Argument(help: ArgumentHelp("The copy.", valueName: "copy"))
  var estimate: String

  @Option(help: ArgumentHelp("Also write spectrograms of both, side by side, as a PNG.", valueName: "file"))
  var picture: String?

  @OptionGroup var threads: ThreadsOption
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    let original = try AudioFile.read(reference)
    let copy = try AudioFile.read(estimate).converted(toChannels: original.channelCount).resampled(
      to: original.sampleRate)
    let length = min(original.frameCount, copy.frameCount)
    let (a, b) = (original.slice(frames: 0..<length), copy.slice(frames: 0..<length))
    let engine = CPUEngine(threads: threads.value)
    let mel = try MelDistance(sampleRate: original.sampleRate)(reference: a, estimate: b, engine: engine)
    let stft = try MultiResolutionSTFTDistance()(reference: a, estimate: b, engine: engine)
    if let picture {
      try AudioPicture(width: 1200, height: 320).writeSpectrograms(
        [((reference as NSString).lastPathComponent, a), ((estimate as NSString).lastPathComponent, b)],
        arrangement: .sideBySide, to: picture)
    }
    if reporting.json {
      try StandardOutput.json(
        ComparisonReport(
          seconds: a.duration, mel_distance: mel, spectral_convergence: stft.spectralConvergence,
          log_magnitude: stft.logMagnitude))
    } else {
      try StandardOutput.line("mel distance          \(rounded(mel))")
      try StandardOutput.line("spectral convergence  \(rounded(stft.spectralConvergence))")
      try StandardOutput.line("log-magnitude         \(rounded(stft.logMagnitude))")
    }
  }

  private func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }
}

private struct ComparisonReport: Encodable {
  var seconds: Double
  var mel_distance: Double
  var spectral_convergence: Double
  var log_magnitude: Double
}
