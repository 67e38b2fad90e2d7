import LegatoModels
import LegatoTensor

/// Evaluations that stand in a table of times: from `first` on, of a schedule of `count`; none where that is 0.
struct TimesBlock: Equatable {
  var count = 0
  var first = 0
}

/// What a stream is to the ``ModelRunner``: its slot, what it reads next and what it is drawing.
final class StreamCore {
  var options: GenerationOptions
  /// Latents drawn or fed since the start.
  var position = 0
  /// The latent drawn or fed last, `[dimension]`, normalised: what the next is made from. Of codes those of the last positions (``CodeSampler``).
  let latent: UnsafeMutableBufferPointer<Float>
  /// The latent that is being drawn, and where the present interval of its flow began.
  let drawn: UnsafeMutableBufferPointer<Float>
  let origin: UnsafeMutableBufferPointer<Float>
  /// Counts every draw, recovered ones too, so that noise is never used twice.
  var draws = 0
  private(set) var schedule: DrawSchedule
  /// What stands for the times of evaluations of the schedule, `[NetworkDrawing.mostRows, width]`, and which they are: ``NetworkDrawing``'s affair.
  let times: UnsafeMutableBufferPointer<Float>
  var timesBlock = TimesBlock()
  let slot: Int
  let runner: ModelRunner

  /// What stands before the first latent, as the backbone reads it.
  let start: UnsafeMutableBufferPointer<Float>
  /// The newest latent that is complete, of codes.
  private let sounding: UnsafeMutableBufferPointer<Float>

  private let kind: SamplerKind
  private let codes: CodeSampler?
  private let noise: UnsafeMutableBufferPointer<Float>

  init(runner: ModelRunner, slot: Int, options: GenerationOptions) {
    self.runner = runner
    self.slot = slot
    self.options = options
    kind = runner.model.configuration.sampler.kind
    schedule = DrawSchedule(kind, count: options.steps)
    let sizes = runner.model.configuration
    codes = runner.model.sampler.codes
    let dimension = codes?.streamDimension ?? sizes.latentDimension
    func zeros(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      buffer.initialize(repeating: 0)
      return buffer
    }
    (latent, drawn, origin, noise) = (zeros(dimension), zeros(dimension), zeros(dimension), zeros(dimension))
    (start, sounding) = (zeros(sizes.inputDimension), zeros(codes == nil ? 0 : sizes.latentDimension))
    times = zeros(NetworkDrawing.mostRows * (runner.model.sampler.network?.configuration.width ?? 0))
  }

  deinit {
    for buffer in [latent, drawn, origin, noise, start, sounding, times] { buffer.deallocate() }
    runner.giveBack(slot: slot)
  }

  /// The pending latent as the backbone reads it: turned up by the feedback gain and mixed with context noise, and once more without
  /// the noise where `clean` is not nil.
  func writeInput(
    to input: UnsafeMutableBufferPointer<Float>, clean: UnsafeMutableBufferPointer<Float>?,
    level: inout Float
  ) {
    write(UnsafeBufferPointer(latent), at: position, draw: draws, to: input, clean: clean, level: &level)
  }

  /// The same of any latent that comes at `position`, after so many draws.
  func write(
    _ latent: UnsafeBufferPointer<Float>, at position: Int, draw: Int,
    to input: UnsafeMutableBufferPointer<Float>, clean: UnsafeMutableBufferPointer<Float>?,
    level: inout Float
  ) {
    if let codes {
      if position == 0 { _ = input.update(from: start) } else { codes.expand(latent, to: input) }
      _ = clean?.update(from: input)
      level = 0
      return
    }
    // What stands before the first latent is learned, and was never noised in training.
    let factors = self.factors
    let share = position == 0 ? 0 : min(1, options.contextNoise * factors.contextNoise)
    let gain = position == 0 ? 1 : options.feedbackGain * factors.feedbackGain
    var gains = options.noiseLaw.gains(share)
    gains.signal *= gain
    random(purpose: 0).normal(into: noise, from: draw * latent.count)
    for index in latent.indices { input[index] = gains.signal * latent[index] + gains.noise * noise[index] }
    if let clean { for index in latent.indices { clean[index] = gain * latent[index] } }
    level = share
  }

  /// Begins a draw with noise: that of a flow and of its map has the temperature from the start.
  func startDraw() {
    schedule = DrawSchedule(kind, count: options.steps)
    random(purpose: 1).normal(into: drawn, from: draws * drawn.count)
    if schedule.move(0) != nil {
      let temperature = self.temperature
      for index in drawn.indices { drawn[index] *= temperature }
      _ = origin.update(from: drawn)
    }
    draws += 1
  }

  /// What an evaluation of the network reads, and what is added to its answer times the returned factor.
  func writeEvaluation(
    _ index: Int, x: UnsafeMutableBufferPointer<Float>, origin: UnsafeMutableBufferPointer<Float>
  ) -> Float {
    _ = x.update(from: drawn)
    guard let move = schedule.move(index) else {
      origin.update(repeating: 0)
      return 1
    }
    _ = origin.update(from: self.origin)
    return move.gain
  }

  /// Goes on with what an evaluation came to.
  func takeEvaluation(_ index: Int, _ moved: UnsafeBufferPointer<Float>) {
    if let move = schedule.move(index) {
      _ = drawn.update(from: moved)
      if move.endsInterval { _ = origin.update(from: drawn) }
    } else if case .diffusion(let diffusion) = schedule {
      random(purpose: 2).normal(into: noise, from: (draws * DiffusionSchedule.steps + index) * noise.count)
      diffusion.advance(drawn, at: index, found: moved, fresh: noise, temperature: temperature)
    }
  }

  /// Draws from a mixture.
  func draw(from sampler: MixtureSampler, _ parameters: UnsafeBufferPointer<Float>) {
    let position = Float(random(purpose: 2).words(at: UInt64(draws)).0 >> 8) / Float(1 << 24)
    sampler.draw(parameters, position: position, temperature: temperature, noise: drawn)
  }

  /// Draws codes.
  func draw(from sampler: CodeSampler, _ logits: UnsafeBufferPointer<Float>) {
    let random = random(purpose: 2)
    sampler.draw(
      logits, after: UnsafeBufferPointer(latent), position: position, temperature: temperature,
      uniform: { Float(random.words(at: UInt64(draws * sampler.codebooks + $0)).0 >> 8) / Float(1 << 24) },
      to: drawn)
  }

  /// Whether what was drawn is music, as far as its numbers say: normalised latents have variance 1.
  var isSound: Bool {
    codes == nil ? drawn.allSatisfy { abs($0) < LatentStream.limit } : drawn.allSatisfy(\.isFinite)
  }

  /// The latent to be decoded, `[latentDimension]`, normalised; of codes the one that is complete.
  var decodable: UnsafeBufferPointer<Float> {
    guard let codes else { return UnsafeBufferPointer(latent) }
    codes.latent(of: UnsafeBufferPointer(latent), to: sounding)
    return UnsafeBufferPointer(sounding)
  }

  /// Whether a saved latent, or saved codes, can be gone on from.
  func accepts(_ saved: [Float]) -> Bool {
    guard saved.count == latent.count else { return false }
    guard let codes else { return saved.allSatisfy(\.isFinite) }
    return saved.allSatisfy { $0 >= -1 && $0 < Float(codes.codes) && $0 == $0.rounded() }
  }

  /// A value of what stands in ``latent`` before the first: of codes that there is none.
  func first(_ index: Int) -> Float { codes == nil ? start[index] : -1 }

  func begin() { for index in latent.indices { latent[index] = first(index) } }

  /// What sounds like nothing.
  func silence() { latent.update(repeating: codes == nil ? 0 : -1) }

  /// In bytes, with the table of times.
  var byteCount: Int {
    [latent, drawn, origin, noise, start, sounding, times].reduce(0) { $0 + $1.count }
      * MemoryLayout<Float>.stride
  }

  private var temperature: Float { options.temperature * factors.temperature }

  private var factors: Style.Factors { options.style?.factors ?? Style.Factors() }

  private func random(purpose: UInt64) -> RandomStream { RandomStream(seed: options.seed, stream: purpose) }
}
