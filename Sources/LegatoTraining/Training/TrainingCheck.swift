import Foundation
import LegatoTensor
import LegatoTorch

/// Overfits one batch: a model that cannot is wrong somewhere, and this says where to look.
struct TrainingCheck {
  let recipe: Recipe
  let task: any TrainingTask
  let backend: TorchBackend
  let style: ProgressStyle

  private static let steps = 150

  func run() throws -> TrainingOutcome {
    let progress = ProgressLine("check", total: Self.steps, unit: "step", style: style)
    if let note = recipe.precisionNote(on: backend) { progress.message("note: \(note)") }
    let optimizer = try AdamW(
      backend, task.trainable, beta1: Float(recipe.optimizer.betas[0]),
      beta2: Float(recipe.optimizer.betas[1]))
    var losses: [Float] = []
    for step in 1...Self.steps {
      try optimizer.clearGradients()
      // The same data and noise every time.
      let loss = try inPrecision { try task.loss(step: task.representativeStep, on: backend).loss }
      try backend.backward(loss)
      let value = try backend.item(loss)
      guard value.isFinite else {
        throw TrainingError(
          "check: the loss is \(value) at step \(step)",
          step == 1
            ? "The data hold NaN, or the weights that it starts from do."
            : "optimizer.learning_rate \(recipe.optimizer.learningRate) is too high.")
      }
      if step == 1 { try findDeadParameters(progress) }
      let norm = try backend.clipGradients(of: task.trainable, maxNorm: 1)
      guard norm.isFinite else {
        throw TrainingError(
          "check: the gradient is \(norm) at step \(step)",
          recipe.isAutocast(on: backend)
            ? "Use precision: f32, or lower optimizer.learning_rate." : "Lower optimizer.learning_rate.")
      }
      guard norm > 0 else {
        throw TrainingError(
          "check: all gradients are zero", "The data may be silent or constant: listen to them.")
      }
      losses.append(value)
      // A short warm-up, as the run would have.
      try optimizer.step(learningRate: recipe.optimizer.learningRate * min(1, Double(step) / 20))
      progress.update(step, [("loss", .number(Double(value)))])
      if StopSignal.isRequested { break }
    }
    progress.finish()
    let (first, last) = (losses.prefix(5).reduce(0, +) / 5, losses.suffix(5).reduce(0, +) / 5)
    // Of how large the loss was: a density's logarithm may be below 0.
    let ratio = 1 + (last - first) / max(abs(first), 1e-6)
    progress.message("check: one batch, loss \(first) → \(last) in \(losses.count) steps")
    // A style, a hundredth of a network that stands still, cannot learn a batch by heart.
    func parameters(_ weights: [Weight]) -> Int { weights.reduce(0) { $0 + $1.count } }
    let enough: Float = 100 * parameters(task.trainable) < parameters(task.weights) ? 0.99 : 0.9
    guard ratio < enough else {
      let reason = ratio > 1.05 ? "grew" : "hardly fell"
      throw TrainingError(
        "check: the loss of one batch \(reason), from \(first) to \(last)",
        ratio > 1.05
          ? "Lower optimizer.learning_rate (now \(recipe.optimizer.learningRate))."
          : "Raise optimizer.learning_rate (now \(recipe.optimizer.learningRate)), and make sure that the data are not silent."
      )
    }
    progress.message("check: passed, the batch is being learnt")
    return TrainingOutcome(
      end: .finished, step: losses.count, package: nil, packageStep: losses.count,
      losses: ["first": Double(first), "last": Double(last)])
  }

  private func inPrecision<Result>(_ body: () throws -> Result) throws -> Result {
    try recipe.inPrecision(on: backend, body)
  }

  private func findDeadParameters(_ progress: ProgressLine) throws {
    let dead = try task.trainable.filter { weight in
      try backend.gradient(of: weight)?.allSatisfy { $0 == 0 } ?? true
    }
    // Zero-initialised outputs stop gradients behind them at the first step: that is by design.
    if dead.count == task.trainable.count {
      throw TrainingError("check: no parameter gets a gradient", "The loss does not depend on the model.")
    }
    if !dead.isEmpty {
      progress.message(
        "check: \(dead.count) of \(task.trainable.count) parameters get no gradient at the first step, e.g. \(dead[0].name)"
      )
    }
  }
}
