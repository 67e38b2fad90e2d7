import LegatoModels
import LegatoTensor

/// Clips of latents as they come from the data: `[items][length · dimension]`, normalised.
public struct LatentClips: Sendable {
  /// One more than the positions that are trained, unless the clip begins its piece.
  public var latents: [[Float]]
  /// Whether the clip begins where its piece does: the start frame then stands before it.
  public var begins: [Bool]
  /// The first latent of every clip whose prediction counts: what stands before it is context only.
  public var counted: [Int]
  /// Positions of the sequence that is trained on.
  public var positions: Int
  public var dimension: Int

  /// - Parameter counted: nil where all count.
  public init(latents: [[Float]], begins: [Bool], counted: [Int]? = nil, positions: Int, dimension: Int) {
    self.latents = latents
    self.begins = begins
    self.counted = counted ?? begins.map { _ in 0 }
    self.positions = positions
    self.dimension = dimension
  }
}

/// What the backbone reads and the sampler learns: all row-major over `[items, positions]`.
public struct TransformedBatch: Sendable {
  public var items: Int
  public var positions: Int
  public var dimension: Int
  /// `[items, positions, dimension]`.
  public var inputs: [Float]
  /// The same before noise was mixed in.
  public var clean: [Float]
  /// 1 where the input is the learned start frame, `[items, positions, 1]`.
  public var isStart: [Float]
  /// How much noise the input carries, from 0, clean, to 1 (``NoiseLaw``): `[items, positions, 1]`.
  public var noiseLevels: [Float]
  /// Index in the stream of every input, shared by all items: `[positions]`.
  public var inputPositions: [Int32]
  /// `[items, positions, dimension]`, always clean.
  public var targets: [Float]
  /// 1 where the loss counts, `[items, positions, 1]`.
  public var mask: [Float]
}

/// What training does to a clip before the backbone sees it.
///
/// A new one is a case here, a line in ``Kind`` and its formula in `corrupt`.
public struct SequenceTransform: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The clean context: plain next-token prediction.
    case nextToken = "next-token"
    /// x̃ = k ε + (1 − k) x, k ~ U(0, kMax): CAM (Pasini et al. 2024).
    case linearNoise = "linear-noise"
    /// x̃ = √k ε + √(1 − k) x: variance preserving, as CALM does it (Rouard et al. 2025).
    case vpNoise = "vp-noise"
    /// x̃ = x + k ε: the level stays what it was.
    case additiveNoise = "additive-noise"
    /// A random share r ~ U(0, kMax) of the inputs becomes pure noise (AudioMNTP, Yang et al. 2025, ablation D).
    case gaussianReplacement = "gaussian-replacement"
  }

  public var kind: Kind
  public var kMax: Float
  /// One noise level for a whole sequence instead of one a position.
  public var perSequence: Bool

  public init(_ kind: Kind, kMax: Float = 1, perSequence: Bool = false) {
    self.kind = kind
    self.kMax = kMax
    self.perSequence = perSequence
  }

  /// Shifts clips to inputs and targets and corrupts the inputs with noise from `random`.
  public func apply(_ clips: LatentClips, random: RandomStream) -> TransformedBatch {
    let (items, length, dimension) = (clips.latents.count, clips.positions, clips.dimension)
    var inputs = [Float](repeating: 0, count: items * length * dimension)
    var targets = inputs
    var isStart = [Float](repeating: 0, count: items * length)
    var mask = [Float](repeating: 1, count: items * length)
    for item in 0..<items {
      let clip = clips.latents[item]
      let base = item * length * dimension
      let begins = clips.begins[item]
      // At a piece's beginning the start frame is the first input, and every latent is a target.
      let inputOffset = begins ? dimension : 0
      let targetOffset = begins ? 0 : dimension
      precondition(
        clip.count >= (length - (begins ? 1 : 0)) * dimension
          && clip.count >= length * dimension + targetOffset, "clip is too short")
      for index in 0..<length * dimension - inputOffset { inputs[base + inputOffset + index] = clip[index] }
      for index in 0..<length * dimension { targets[base + index] = clip[targetOffset + index] }
      if begins { isStart[item * length] = 1 }
      // Position i predicts latent i + 1, or latent i after a start frame.
      for index in 0..<min(length, max(0, clips.counted[item] - (begins ? 0 : 1))) {
        mask[item * length + index] = 0
      }
    }
    let clean = inputs
    let noiseLevels = corrupt(
      &inputs, isStart: isStart, items: items, length: length, dimension: dimension, random: random)
    return TransformedBatch(
      items: items, positions: length, dimension: dimension, inputs: inputs, clean: clean, isStart: isStart,
      noiseLevels: noiseLevels, inputPositions: (0..<Int32(length)).map { $0 }, targets: targets,
      mask: mask)
  }

  /// How generation mixes noise for a model that was trained so.
  public var noiseLaw: NoiseLaw {
    switch kind {
    case .nextToken, .linearNoise, .gaussianReplacement: .linear
    case .vpNoise: .variancePreserving
    case .additiveNoise: .additive
    }
  }

  /// Settings of generation to begin with: those that suited small models best that were trained for half an hour on clean
  /// contexts or with linear noise, and for two hours with additive noise (Documentation/architecture.md, "Level,
  /// temperature and context noise" and "Told or not"). Four hours of linear noise wanted 1.02, 0.25 and a feedback gain of
  /// 1.06. The other two kinds have those of their next of kin, which nobody has measured.
  ///
  /// They are those of a flow. Its map takes one step, and a diffusion 100, as MAR does; they, a mixture and codes have the temperature of what
  /// they learned.
  public func generation(with sampler: SamplerKind = .flow) -> GenerationDefaults {
    var defaults = GenerationDefaults()
    defaults.noiseLaw = noiseLaw
    switch kind {
    case .nextToken, .gaussianReplacement: (defaults.temperature, defaults.contextNoise) = (1.03, 0)
    case .linearNoise, .vpNoise: (defaults.temperature, defaults.contextNoise) = (1.07, min(0.2, 0.4 * kMax))
    case .additiveNoise: (defaults.temperature, defaults.contextNoise) = (1.08, min(0.3, 0.43 * kMax))
    }
    if sampler == .flowMap { defaults.steps = 1 }
    if sampler == .diffusion { defaults.steps = 100 }
    if sampler != .flow { defaults.temperature = 1 }
    if sampler == .codes { defaults.contextNoise = 0 }
    return defaults
  }

  /// Mixes noise into the inputs; returns how much into each.
  private func corrupt(
    _ inputs: inout [Float], isStart: [Float], items: Int, length: Int, dimension: Int, random: RandomStream
  ) -> [Float] {
    var noiseLevels = [Float](repeating: 0, count: items * length)
    guard kind != .nextToken, kMax > 0 else { return noiseLevels }
    let noise = random.normal(inputs.count)
    // Levels have their own stream, so that noise does not depend on how they are drawn.
    let levels = RandomStream(seed: random.seed, stream: random.stream ^ 0x6c65_7665_6c73).uniform(
      items * length + items)
    for row in 0..<items * length where isStart[row] == 0 {
      let item = row / length
      let draw = perSequence ? levels[items * length + item] : levels[row]
      noiseLevels[row] =
        switch kind {
        case .nextToken, .linearNoise, .vpNoise, .additiveNoise: draw * kMax
        case .gaussianReplacement: levels[row] < levels[items * length + item] * kMax ? 1 : 0
        }
      let gains = noiseLaw.gains(noiseLevels[row])
      for index in row * dimension..<(row + 1) * dimension {
        inputs[index] = gains.signal * inputs[index] + gains.noise * noise[index]
      }
    }
    return noiseLevels
  }
}
