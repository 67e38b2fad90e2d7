/// One training run, as its YAML file describes it.
///
/// The initial values of these structures are the defaults, and live nowhere else; `init(kind:)` adds those
/// that differ between kinds. A network's sizes come from its preset, so here they are optional
/// overrides.
public struct Recipe: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable { case codec, model, classifier }

  /// What is trained.
  public enum Subject: Sendable, Equatable {
    case codec(CodecRecipe)
    case model(ModelRecipe)
    case classifier(ClassifierRecipe)
  }

  public enum Precision: String, Sendable, CaseIterable {
    case float32 = "f32"
    /// Products in bfloat16, weights and sums in f32.
    case bfloat16 = "bf16"
  }

  public var subject: Subject
  public var name = "unnamed"
  public var seed: UInt64 = 1
  public var device = TrainingDevice.automatic
  public var precision = Precision.float32
  /// CPU threads; 0 takes all.
  public var threads = 0
  public var steps = 100_000
  /// Seconds after which the run ends cleanly.
  public var timeLimit: Int?
  /// The package to start from.
  public var from: String?
  public var batchSize = 16
  public var data = DataRecipe()
  public var optimizer = OptimizerRecipe()
  public var ema = EMARecipe()
  public var checkpoint = CheckpointRecipe()
  public var evaluate = EvaluateRecipe()
  public var samples = SamplesRecipe()
  public var log = LogRecipe()

  /// The defaults for a kind. `data.source` has none and stays empty.
  public init(kind: Kind) {
    switch kind {
    case .codec:
      subject = .codec(CodecRecipe())
      optimizer.learningRate = 5e-4
      optimizer.betas = [0.8, 0.99]
      samples.seconds = 10
    case .model:
      subject = .model(ModelRecipe())
    case .classifier:
      subject = .classifier(ClassifierRecipe())
      optimizer.learningRate = 1e-3
      samples.everySteps = 0
    }
  }

  public var kind: Kind {
    switch subject {
    case .codec: .codec
    case .model: .model
    case .classifier: .classifier
    }
  }
}

/// Where the training examples come from.
public struct DataRecipe: Sendable, Equatable {
  /// `corpus` of a codec recipe (a manifest, or a folder of recordings) or of a classifier recipe (what `legato corpus`
  /// rendered), or `latents` of a model recipe (a folder of shards). Relative paths start at the working directory.
  public var source = ""
  /// Codec only: seconds of audio in an example.
  public var cropSeconds = 0.96
  /// Model only: latents in an example. At least three attention windows, so that training sees eviction.
  public var cropFrames = 1024

  public init() {}
}

/// AdamW and its schedule.
public struct OptimizerRecipe: Sendable, Equatable {
  public enum Schedule: String, Sendable, CaseIterable { case cosine, constant }

  public var learningRate = 3e-4
  /// Decay of the first and the second moment.
  public var betas = [0.9, 0.95]
  public var eps = 1e-8
  public var weightDecay = 0.01
  /// Largest norm of the gradient; 0 leaves it as it is.
  public var clip = 1.0
  public var warmupSteps = 500
  public var schedule = Schedule.cosine
  /// Cosine only: the share of the learning rate that is left at the last step.
  public var finalFraction = 0.1

  public init() {}
}

/// The running average of the weights that evaluation, samples and packages use.
public struct EMARecipe: Sendable, Equatable {
  /// 0 turns it off.
  public var decay = 0.999

  public init() {}
}

/// When checkpoints are written. An interval of 0 turns that trigger off.
public struct CheckpointRecipe: Sendable, Equatable {
  public var everySteps = 1000
  public var everyMinutes = 15.0
  /// How many of the newest are kept.
  public var keep = 3

  public init() {}
}

/// How often the held-out loss is measured (0: never) and on how many batches.
public struct EvaluateRecipe: Sendable, Equatable {
  public var everySteps = 500
  public var batches = 8
  /// Measurements without a lower held-out loss after which a run ends; its package then has the weights of the lowest.
  /// 0: a run goes on to its last step, and the package has the last weights.
  public var patience = 0

  public init() {}
}

/// How often samples are written (0: never), how long and how many.
public struct SamplesRecipe: Sendable, Equatable {
  public var everySteps = 2000
  public var seconds = 20.0
  public var count = 4

  public init() {}
}

/// How often losses go to progress.jsonl and TensorBoard.
public struct LogRecipe: Sendable, Equatable {
  public var everySteps = 20

  public init() {}
}
