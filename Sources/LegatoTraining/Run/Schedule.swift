import Foundation

/// The learning rate by step: a linear warm-up, then a half cosine down to a fraction, or constant.
public struct Schedule: Sendable, Equatable {
  public var peak: Double
  public var warmupSteps: Int
  public var steps: Int
  public var shape: OptimizerRecipe.Schedule
  public var finalFraction: Double

  public init(
    peak: Double, warmupSteps: Int, steps: Int, shape: OptimizerRecipe.Schedule, finalFraction: Double
  ) {
    self.peak = peak
    self.warmupSteps = warmupSteps
    self.steps = steps
    self.shape = shape
    self.finalFraction = finalFraction
  }

  public init(_ recipe: Recipe) {
    self.init(
      peak: recipe.optimizer.learningRate, warmupSteps: recipe.optimizer.warmupSteps, steps: recipe.steps,
      shape: recipe.optimizer.schedule, finalFraction: recipe.optimizer.finalFraction)
  }

  /// The rate of update number `step`, from 1 (the first update) to `steps` (the last).
  /// The warm-up reaches the peak at update `warmupSteps`; the cosine ends at `finalFraction · peak`.
  public func learningRate(at step: Int) -> Double {
    if step <= warmupSteps { return peak * Double(max(1, step)) / Double(warmupSteps) }
    switch shape {
    case .constant: return peak
    case .cosine:
      let length = max(1, steps - warmupSteps)
      let progress = min(1, Double(step - warmupSteps) / Double(length))
      return peak * (finalFraction + (1 - finalFraction) * 0.5 * (1 + cos(.pi * progress)))
    }
  }
}
