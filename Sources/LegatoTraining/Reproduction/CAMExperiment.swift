/// The experiment of the CAM paper (Pasini, Nistal, Lattner and Fazekas 2024): one system and its baselines, of one backbone, on one corpus,
/// with as many updates each.
public struct CAMExperiment: Sendable {
  /// How much of it: `toy` shows that everything runs, `small` is for two cores, `large` has the published sizes.
  public enum Scale: String, Sendable, CaseIterable { case toy, small, large }

  /// A system: what it is trained by, and what it may do when it plays.
  public struct Row: Sendable, Hashable {
    public var name: String
    /// What it is, in the report.
    public var text: String
    /// Settings of the recipe that differ from CAM's.
    var settings: [String]
    /// Whether context noise may be found for it.
    var hasContextNoise = true
    /// Whether it has as many training seeds as the scale allows, or one.
    var isDeciding = false
    /// Whether it draws one latent after the other, so that there is something that may drift.
    public internal(set) var streams = true
  }

  /// CAM and what it is compared with. "MAR with rectified flow" of the paper is here `plain`: raster order, a causal backbone, a flow for a
  /// head.
  public static let rows: [Row] = [
    Row(
      name: "cam", text: "CAM: flow, linear noise k to 1, context noise", settings: [], isDeciding: true),
    Row(
      name: "plain", text: "without the noise transform (MAR with rectified flow)",
      settings: ["model.transform.kind=next-token"], isDeciding: true),
    Row(
      name: "givt", text: "GIVT: mixture of 32 normal distributions",
      settings: ["model.transform.kind=next-token", "model.sampler.kind=mixture"], isDeciding: true),
    Row(
      name: "givt-noise", text: "GIVT with CAM's noise transform", settings: ["model.sampler.kind=mixture"],
      isDeciding: true),
    Row(
      name: "cam-clean", text: "CAM without context noise when it plays", settings: [], hasContextNoise: false
    ),
    Row(
      name: "mar", text: "MAR: diffusion, noise prediction, raster order, causal",
      settings: ["model.transform.kind=next-token", "model.sampler.kind=diffusion"]),
    Row(
      name: "codes", text: "discrete: residual codes of the same latents, delay pattern (MusicGen)",
      settings: ["model.transform.kind=next-token", "model.sampler.kind=codes"], hasContextNoise: false),
    Row(
      name: "rf", text: "RF: rectified flow of whole sequences, not causal",
      settings: [
        "model.transform.kind=next-token", "model.causal=false", "model.noise_level=true",
        "model.generation.steps=32",
      ],
      hasContextNoise: false, streams: false),
    Row(
      name: "cam-half", text: "CAM with k to 0.5", settings: ["model.transform.k_max=0.5"], isDeciding: true
    ),
    Row(
      name: "vp-noise", text: "variance-preserving noise (CALM)",
      settings: ["model.transform.kind=vp-noise"]),
    Row(
      name: "short-context",
      text: "variance-preserving noise, and the last ten latents read without noise by one layer more (CALM)",
      settings: ["model.transform.kind=vp-noise", "model.short_context.window=10"]),
    Row(
      name: "replacement", text: "Gaussian replacement (AudioMNTP, ablation D)",
      settings: ["model.transform.kind=gaussian-replacement"]),
    Row(
      name: "one-step", text: "CAM with a flow map: one evaluation a latent",
      settings: ["model.sampler.kind=flow-map", "model.sampler.draws=8"]),
  ]

  /// Changes with whatever changes what a recipe trains, so that weights of before are not taken for today's.
  static let revision = 1
  /// Changes with how settings are found, which leaves a row's weights as they are.
  static let searching = 2
  /// Changes with what is measured of a row, which then plays again with the settings that were found for it.
  static let measuring = 3

  public let scale: Scale

  public init(_ scale: Scale) { self.scale = scale }

  /// Hours of music for training, and of other music to measure with.
  var hours: (training: Double, heldOut: Double) {
    switch scale {
    case .toy: (0.15, 0.15)
    case .small: (10, 2.5)
    case .large: (1000, 10)
    }
  }

  /// General MIDI programs. What two cores learn in minutes is one instrument.
  var instruments: (programs: [String], text: String) {
    scale == .large
      ? (["0", "11", "24", "42", "48", "73"], "six instruments, one at a time") : (["0"], "piano alone")
  }

  var maximumMinutes: Double { scale == .toy ? 1 : scale == .small ? 3 : 10 }

  /// Training seeds of the rows that decide.
  var seeds: Int { scale == .toy ? 1 : 3 }

  /// Trials of settings, streams of a trial and their seconds; the sampler's steps at most, also of what is measured, since a
  /// temperature that suits few steps is too high for many.
  var tuning: (trials: Int, count: Int, seconds: Double, mostSteps: Int) {
    switch scale {
    case .toy: (2, 2, 9, 8)
    case .small: (14, 12, 60, 25)
    case .large: (30, 16, 60, 100)
    }
  }

  /// Seeds that play, how long, and the length of a stretch: the last one is several windows and crops from the start.
  var playing: (count: Int, seconds: Double, stretch: Double) {
    switch scale {
    case .toy: (2, 16, 4)
    case .small: (24, 120, 15)
    case .large: (64, 240, 15)
    }
  }

  /// What a row's recipe says of its model.
  func model(_ row: Row, seed: Int = 1) throws -> ModelRecipe {
    guard case .model(let model) = try recipe(row, seed: seed).subject else {
      preconditionFailure("CAMExperiment: the row \(row.name) is no model's")
    }
    return model
  }

  /// The recipe of a row, without what differs from machine to machine.
  func recipe(_ row: Row, seed: Int) throws -> Recipe {
    let sizes =
      switch scale {
      case .toy: "{preset: tiny, window: 16, transform: {kind: linear-noise, k_max: 1.0}}"
      case .small:
        "{preset: small, width: 192, heads: 3, layers: 5, window: 128, start_fraction: 0.1, sampler: {width: 256, blocks: 2, draws: 2}, transform: {kind: linear-noise, k_max: 1.0}}"
      case .large: "{preset: cam-150m, transform: {kind: linear-noise, k_max: 1.0}}"
      }
    let (steps, batch, crop, warmup, rate) =
      switch scale {
      case .toy: (4, 2, 60, 1, "1e-3")
      // Small batches: the first thousands of updates are worth more than their accuracy.
      case .small: (2500, 4, 384, 100, "1.5e-3")
      case .large: (400_000, 32, 768, 1000, "1e-4")
      }
    return try Recipe(
      yaml: """
        kind: model
        name: row
        seed: \(seed)
        precision: \(scale == .toy ? "f32" : "bf16")
        steps: \(steps)
        batch_size: \(batch)
        data: {latents: latents, crop_frames: \(crop)}
        optimizer: {learning_rate: \(rate), betas: [0.9, 0.95], weight_decay: 0.02, clip: 1.0, warmup_steps: \(warmup), schedule: cosine, final_fraction: 0.03}
        ema: {decay: \(scale == .toy ? 0.5 : scale == .small ? 0.995 : 0.9999)}
        checkpoint: {every_steps: 0, every_minutes: 3, keep: 1}
        evaluate: {every_steps: \(max(1, steps / 4)), batches: \(scale == .toy ? 1 : 12)}
        samples: {every_steps: 0}
        log: {every_steps: \(max(1, steps / 60))}
        model: \(sizes)
        """, file: "the recipe of \(row.name)", settings: row.settings)
  }
}
