import LegatoTensor
import LegatoTorch

/// What a run will take, said before its first step.
public struct TrainingEstimate: Sendable {
  public let parameters: Int
  /// Weights, gradients, the optimiser's two moments, the average, and what the backward pass keeps.
  public let memoryBytes: Int
  public let secondsPerStep: Double
  public let steps: Int
  public let timeLimit: Int?

  /// Records one step without executing it and times a matrix product for the machine's rate.
  init(task: any TrainingTask, recipe: Recipe, backend: TorchBackend) throws {
    let engine = CPUEngine(threads: 1)
    let work = try engine.estimate { _ = try task.loss(step: task.representativeStep, on: engine) }
    parameters = task.trainable.reduce(0) { $0 + $1.count }
    memoryBytes = parameters * 4 * 5 + work.intermediateBytes
    // A backward pass costs two forward passes; other operations than large products run at about half their rate.
    secondsPerStep = 3 * Double(work.multiplyAdds) / (0.5 * (try Self.multiplyAddsPerSecond(recipe, backend)))
    steps = recipe.steps
    timeLimit = recipe.timeLimit
  }

  private static func multiplyAddsPerSecond(_ recipe: Recipe, _ backend: TorchBackend) throws -> Double {
    let (m, k) = (2048, 512)
    let a = backend.tensor([Float](repeating: 0.01, count: m * k), shape: [m, k])
    let b = backend.tensor([Float](repeating: 0.01, count: k * k), shape: [k, k])
    func products(_ count: Int) throws -> Double {
      let before = monotonicSeconds()
      var x = a
      for _ in 0..<count {
        x = recipe.inPrecision(on: backend) { x.matmul(b) }
      }
      _ = try backend.item(x.sum())
      return monotonicSeconds() - before
    }
    return try backend.withoutGradients {
      _ = try products(2)
      let count = 8
      return Double(count * m * k * k) / max(1e-6, try products(count))
    }
  }

  public var text: String {
    let total = secondsPerStep * Double(steps)
    let limit = timeLimit.map { ", stopped after \(DurationText.text($0))" } ?? ""
    return
      "\(Self.millions(parameters)) parameters; estimated \(Self.gibibytes(memoryBytes)) of memory, "
      + "\(Self.rounded(secondsPerStep)) s a step, \(DurationText.text(Int(min(total, 1e12)))) for \(steps) steps\(limit)"
  }

  private static func millions(_ count: Int) -> String { rounded(Double(count) / 1e6) + " M" }
  private static func gibibytes(_ bytes: Int) -> String { rounded(Double(bytes) / 1_073_741_824) + " GiB" }
  private static func rounded(_ value: Double) -> String {
    let scale = value < 10 ? 100.0 : 1.0
    return "\((value * scale).rounded() / scale)"
  }
}
