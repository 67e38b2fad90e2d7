import LegatoTensor
import LegatoTorch

/// What is trained: a codec or a model, with its data and its loss. The trainer does the rest.
public protocol TrainingTask: AnyObject {
  /// Parameters to train.
  var trainable: [Weight] { get }
  /// All parameters, in a stable order.
  var weights: [Weight] { get }
  /// What is trained against `trainable` in the same steps; nil for most.
  var adversary: Adversary? { get }
  /// Tells data sets apart: a resumed run is only exact on the data that it began with.
  var dataFingerprint: String { get }

  /// Weights that were found in the data before the first step and are not trained: a run goes on with the same ones.
  var found: [Weight] { get }

  /// A step that has all parts of the loss, for estimates and checks.
  var representativeStep: Int { get }

  /// What the user should know before the first step.
  var notes: [String] { get }

  /// Seconds of audio in one step, for rates.
  var audioSecondsPerStep: Double { get }

  /// The loss of a step, `[1]`, and named parts of it. Data and noise are functions of seed and step alone.
  func loss(step: Int, on backend: any Backend) throws -> (loss: Tensor, parts: [(String, Tensor)])

  /// The adversary's own loss of the step whose ``loss(step:on:)`` came last, `[1]`; nil where it takes no part yet.
  func adversaryLoss(step: Int, on backend: TorchBackend) throws -> Tensor?

  /// Whether ``evaluate(on:)`` measures on data that are not trained on.
  var holdsOut: Bool { get }

  /// Held-out measures with fixed data and noise, lower is better; the first decides which weights are best.
  func evaluate(on backend: TorchBackend) throws -> [(String, Double)]

  /// Sound and pictures of the present state, into a folder. Never touches training's random numbers.
  func writeSamples(weights: [Weight], step: Int, to folder: String) throws -> [SampleFile]

  /// Looks for the settings that suit a package that was just written, and writes them into it. What was done, in words; nil for nothing.
  func tune(package path: String, style: ProgressStyle) throws -> String?

  /// Writes what the run is for: a codec or a model package.
  func export(weights: [Weight], record: ExportRecord, to path: String) throws
}

extension TrainingTask {
  public var adversary: Adversary? { nil }
  public var found: [Weight] { [] }
  public func adversaryLoss(step: Int, on backend: TorchBackend) throws -> Tensor? { nil }
  public func tune(package path: String, style: ProgressStyle) throws -> String? { nil }
}

/// A network that learns to tell what the trained one makes from what is real.
public struct Adversary: Sendable {
  public var weights: [Weight]
  /// Follows the run's schedule.
  public var learningRate: Double
}

/// A sample that was written, for TensorBoard.
public struct SampleFile: Sendable {
  public var tag: String
  public var wav: String?
  public var png: String?
}

/// What the trainer knows about how the weights came to be.
public struct ExportRecord: Sendable {
  public var name: String
  public var steps: Int
  public var seconds: Double
  public var hardware: String
  public var losses: [String: Double]
}
