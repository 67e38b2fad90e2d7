import Legato
import LegatoAudio
import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoNN
import LegatoTensor

/// Measures what a conversion changed: ``ConversionQuality``.
public struct ConversionCheck {
  public let original: ModelPackage
  public let converted: ModelPackage
  public var threads = Platform.defaultThreadCount
  /// Latents of each rollout.
  public var frames = 192
  /// Sets of rollouts of each model, one rollout of every style in each.
  public var sets = 4
  /// Recordings to measure the codec on; empty for the package's own sound.
  public var recordings: [AudioBuffer] = []
  public var sound = "the package's own sound"
  public var isCancelled: @Sendable () -> Bool = { false }

  /// Seeds that calibration has not seen.
  private static let firstSeed: UInt64 = 100

  public init(original: ModelPackage, converted: ModelPackage) {
    (self.original, self.converted) = (original, converted)
  }

  /// Throws ``ConversionError`` where it was stopped, and what a codec's sound is refused for.
  public func run() throws -> ConversionQuality {
    func sets(of package: ModelPackage) throws -> [[Rollout]] {
      let seeds = Self.firstSeed..<Self.firstSeed + UInt64(self.sets)
      let all = try Rollout.all(
        of: package, seeds: seeds, frames: frames, threads: threads, isCancelled: isCancelled)
      let each = all.count / self.sets
      return (0..<self.sets).map { Array(all[$0 * each..<($0 + 1) * each]) }
    }
    let ours = try sets(of: original)
    let theirs = try sets(of: converted)
    let rollouts = Array(ours.joined())
    let change = try VelocityChange(
      of: original.model, along: rollouts, threads: threads, isCancelled: isCancelled)
    let velocity = try change(converted.model).estimate
    let sounds =
      recordings.isEmpty
      ? ours[0].map { rollout in
        let engine = CPUEngine(threads: threads)
        let codec = original.codec.codec
        return Self.buffer(rollout.audio(by: codec, on: engine), of: codec)
      } : recordings
    let codec = try codecDistances(sounds)
    let distances = self.distances(ours, theirs)
    return ConversionQuality(
      velocity: velocity, latents: codec.latents, melDistance: codec.distance, melDistanceRatio: codec.whole,
      decoderRatio: codec.decoder, sound: recordings.isEmpty ? "the package's own sound" : sound,
      distance: distances.other, originalDistance: distances.own, distanceRatio: distances.ratio,
      sameSeedDistance: distances.same)
  }

  // MARK: Codec

  private struct CodecFigures: Sendable {
    var latents: RelativeChange.Sums
    /// Mel distances to the sound: by the original, by the converted codec, by the converted decoder alone.
    var distances: (original: Double, converted: Double, decoder: Double)
  }

  private func codecDistances(_ sounds: [AudioBuffer]) throws -> (
    latents: Estimate, distance: Double, whole: Estimate, decoder: Estimate
  ) {
    let (ours, theirs, isCancelled) = (original.codec.codec, converted.codec.codec, isCancelled)
    let mel = MelDistance(sampleRate: ours.sampleRate)
    let figures = try ParallelWork.map(sounds.count, threads: threads) { index -> CodecFigures in
      if isCancelled() { throw ConversionError.cancelled }
      let engine = CPUEngine(threads: 1)
      let sound = Self.whole(sounds[index], of: ours)
      let input = engine.tensor(
        sound.channels.flatMap { $0 }, shape: [1, sound.channelCount, sound.frameCount])
      let (a, b) = (ours.encode(input), theirs.encode(input))
      func distance(_ latents: Tensor, _ codec: SpectralCodec) throws -> Double {
        try mel(
          reference: sound, estimate: Self.buffer(codec.decode(latents), of: codec), engine: engine)
      }
      return CodecFigures(
        latents: .init(a.floats(), b.floats()),
        distances: (try distance(a, ours), try distance(b, theirs), try distance(a, theirs)))
    }
    func ratio(_ part: (CodecFigures) -> Double) -> Estimate {
      func quotient(_ figures: [CodecFigures]) -> Double {
        let own = figures.reduce(0) { $0 + $1.distances.original }
        return own > 0 ? figures.reduce(0) { $0 + part($1) } / own : 1
      }
      return Estimate(
        positive: quotient(figures),
        leavingOneOut: figures.indices.map { left in
          quotient(figures.indices.filter { $0 != left }.map { figures[$0] })
        })
    }
    return (
      RelativeChange(figures.map(\.latents)).estimate,
      figures.reduce(0) { $0 + $1.distances.original } / Double(max(1, figures.count)),
      ratio(\.distances.converted), ratio(\.distances.decoder)
    )
  }

  /// `[1, channels, samples]` as sound.
  private static func buffer(_ audio: Tensor, of codec: SpectralCodec) -> AudioBuffer {
    let (values, count) = (audio.floats(), audio.dim(2))
    return AudioBuffer(
      sampleRate: codec.sampleRate,
      channels: (0..<codec.channels).map { Array(values[$0 * count..<($0 + 1) * count]) })
  }

  /// Cut to whole frames of the codec.
  private static func whole(_ sound: AudioBuffer, of codec: SpectralCodec) -> AudioBuffer {
    sound.slice(frames: 0..<sound.frameCount / codec.samplesPerFrame * codec.samplesPerFrame)
  }

  // MARK: Rollouts

  private func distances(_ ours: [[Rollout]], _ theirs: [[Rollout]]) -> (
    own: Estimate, other: Estimate, ratio: Estimate, same: Double
  ) {
    let dimension = original.model.configuration.latentDimension
    func statistics(_ set: [Rollout]) -> GaussianStatistics {
      var statistics = GaussianStatistics(dimension: dimension)
      for rollout in set { statistics.add(rollout.latents) }
      return statistics
    }
    let references = ours.map { FrechetDistance.Reference(statistics($0)) }
    let (own, other) = (ours.map(statistics), theirs.map(statistics))
    let between = { (sets: [GaussianStatistics]) in
      references.map { reference in sets.map { FrechetDistance(reference: reference, $0).value } }
    }
    let (within, across) = (between(own), between(other))
    /// Mean over pairs of different seeds, one seed left out.
    func mean(_ table: [[Double]], without left: Int? = nil) -> Double {
      let values = table.indices.flatMap { i in
        table.indices.compactMap { j in i == j || i == left || j == left ? nil : table[i][j] }
      }
      return Statistics.mean(values) ?? 0
    }
    func estimate(_ value: (Int?) -> Double) -> Estimate {
      // Two sets give one pair, of which none can be left out.
      Estimate(positive: value(nil), leavingOneOut: sets > 2 ? ours.indices.map { value($0) } : [])
    }
    return (
      estimate { mean(within, without: $0) }, estimate { mean(across, without: $0) },
      estimate { left in
        let own = mean(within, without: left)
        return own > 0 ? mean(across, without: left) / own : 1
      },
      Statistics.mean(across.indices.map { max(0, across[$0][$0]) }) ?? 0
    )
  }
}
