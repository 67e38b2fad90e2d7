import LegatoCodecs
import LegatoEvaluation
import LegatoModels
import LegatoTensor

/// The music that settings are tuned to: prepared latents as the codec gives them back, so that what the codec loses is
/// not looked for in the settings.
struct TuningReference {
  var music: DriftReference
  /// Seconds of a stretch.
  var stretch: Double

  /// Parts of pieces are independent samples for this purpose: a folder may hold a single long recording.
  private static let partSeconds = 120.0
  private static let parts = 24
  private static let stretches = 4.0...30.0

  /// - Parameter seconds: of the streams that are to be compared; a stretch is half of one at most.
  /// - Throws: ``TrainingError`` for too little music.
  init(
    _ data: LatentDataset, codec: any AudioCodec, streams seconds: Double, threads: Int, engine: CPUEngine,
    style: ProgressStyle
  ) throws {
    let rate = codec.frameRate
    let length = Int(Self.partSeconds * rate)
    let all = data.index.pieces.flatMap { piece in
      stride(from: 0, to: piece.frames, by: length).map { start in
        (piece: piece, start: start, count: min(length, piece.frames - start))
      }
    }
    // Half of the parts hold at least one stretch, and two stretches come to one median part.
    let lengths = all.map { Double($0.count) / rate }.sorted()
    let median = lengths.isEmpty ? 0 : lengths[lengths.count / 2]
    let longest = min(Self.stretches.upperBound, seconds / 2)
    let stretch = min(max(median / 2, Self.stretches.lowerBound), longest)
    let usable = all.filter { Double($0.count) / rate >= stretch + 1 }
    guard usable.count > 1 else {
      throw TrainingError(
        "\(data.path): cut into parts of two minutes, \(usable.count) of \(all.count) last more than \(stretch) s; with fewer than two there is too little to tune to",
        "Prepare more or longer recordings.")
    }
    let chosen = min(usable.count, Self.parts)
    let parts = (0..<chosen).map { usable[$0 * usable.count / chosen] }
    let progress = SharedProgress(
      "real music", total: parts.reduce(0) { $0 + Double($1.count) / rate }, unit: "second", style: style)
    defer { progress.finish() }
    let sounds = try ParallelWork.map(parts.count, threads: threads) { index in
      let part = parts[index]
      let latents = try data.crop(piece: part.piece, start: part.start, count: part.count)
      return try MeasuredSound.decoded(
        latents, name: part.piece.id, codec: codec, stretch: stretch, made: progress.add)
    }
    do {
      music = try DriftReference(sounds, engine: engine)
    } catch let error as EvaluationError {
      throw TrainingError("\(data.path): \(error)", "Prepare more or longer recordings.")
    }
    self.stretch = stretch
  }
}

extension MeasuredSound {
  /// A recording as a codec gives it back.
  ///
  /// - Parameters:
  ///   - latents: `[frames, D]`, normalised.
  ///   - stretch: seconds.
  ///   - made: hears seconds as they are decoded.
  /// - Throws: ``EvaluationError`` for sound that cannot be measured.
  static func decoded(
    _ latents: [Float], name: String, codec: any AudioCodec, stretch: Double, made: (Double) -> Void
  ) throws -> MeasuredSound {
    let engine = CPUEngine(threads: 1)
    let decoder = codec.makeDecoder(engine: engine, stream: StreamState(engine: engine))
    let meter = try StretchMeter(
      name: name, sampleRate: codec.sampleRate, channels: codec.channels, stretch: stretch, engine: engine)
    let (size, dimension) = (codec.samplesPerFrame, codec.latentDimension)
    try latents.withUnsafeBufferPointer { latents in
      for first in stride(from: 0, to: latents.count, by: dimension) {
        let samples = decoder.step(UnsafeBufferPointer(rebasing: latents[first..<first + dimension]))
        try meter.append((0..<codec.channels).map { Array(samples[$0 * size..<($0 + 1) * size]) })
        made(1 / codec.frameRate)
      }
    }
    return try meter.finish()
  }
}
