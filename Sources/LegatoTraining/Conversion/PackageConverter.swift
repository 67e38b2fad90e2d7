import Legato
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// Stores a package's matrices in another precision.
///
/// int4 is rounded by what the layers read in use (``Weight/converted(to:inputMoments:)``): the package plays to itself for a while, and
/// its codec encodes and decodes that.
public struct PackageConverter {
  public let package: ModelPackage
  public let precision: WeightPrecision
  public var threads = Platform.defaultThreadCount
  /// Latents of each style that the layers' inputs are taken from.
  public var frames = 256
  /// Whether rounding makes up for its errors; nil where it pays.
  public var compensates: Bool?
  public var isCancelled: @Sendable () -> Bool = { false }

  public init(package: ModelPackage, precision: WeightPrecision) {
    (self.package, self.precision) = (package, precision)
  }

  /// The package with its new weights, in memory. Throws ``ConversionError`` where it was stopped.
  public func run() throws -> ModelPackage {
    let (precision, isCancelled) = (precision, isCancelled)
    let weights = package.model.weights + package.codec.codec.weights
    let changing = weights.filter { $0.format != precision.format(of: $0) }
    let rounded = changing.filter { precision.format(of: $0).group != nil }
    let moments = (compensates ?? (precision == .int4)) ? try self.moments(of: rounded) : [:]
    let converted = try ParallelWork.map(changing.count, threads: threads) { index in
      if isCancelled() { throw ConversionError.cancelled }
      let weight = changing[index]
      let format = precision.format(of: weight)
      return moments[weight.name].map { weight.converted(to: format, inputMoments: $0) }
        ?? weight.converted(to: format)
    }
    let byName = Dictionary(converted.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    return try package.converted { byName[$0.name] ?? $0 }
  }

  private func moments(of weights: [Weight]) throws -> [String: [Float]] {
    let rollouts = try Rollout.all(
      of: package, seeds: 1..<2, frames: frames, threads: threads, isCancelled: isCancelled)
    let backend = InputMoments(engine: CPUEngine(threads: threads), wanted: Set(weights.map(\.name)))
    for rollout in rollouts {
      if isCancelled() { throw ConversionError.cancelled }
      _ = try rollout.velocities(of: package.model, on: backend)
      _ = package.codec.codec.encode(rollout.audio(by: package.codec.codec, on: backend))
    }
    return backend.moments
  }
}
