import Legato
import LegatoCodecs
import LegatoModels
import LegatoTensor

/// Stores a package's matrices in another precision.
///
/// int4 is rounded by what the layers read in use (``Weight/converted(to:inputMoments:)``): the package plays to itself for a while, and
/// its codec encodes and decodes that. The model's matrices that would change its velocity by more than the tolerance stay int8
/// (``CoarseMatrices``).
public struct PackageConverter {
  public let package: ModelPackage
  public let precision: WeightPrecision
  public var threads = Platform.defaultThreadCount
  /// Latents of each style that the layers' inputs are taken from.
  public var frames = 256
  /// How far int4 may change the velocity, RMS over RMS; 1 makes all matrices int4 that can be.
  public var tolerance = ConversionQuality.velocityBar
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
    func converted(_ weights: [Weight], to format: @Sendable (Weight) -> WeightFormat) throws -> [String:
      Weight]
    {
      let all = try ParallelWork.map(weights.count, threads: threads) { index in
        if isCancelled() { throw ConversionError.cancelled }
        let weight = weights[index]
        return moments[weight.name].map { weight.converted(to: format(weight), inputMoments: $0) }
          ?? weight.converted(to: format(weight))
      }
      return Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }
    var byName = try converted(changing) { precision.format(of: $0) }
    if tolerance < 1 {
      let coarse = package.model.weights.filter {
        byName[$0.name].map { WeightPrecision($0.format) == .int4 } ?? false
      }
      let fine = try converted(coarse) { $0.storedFormat(for: WeightPrecision.int8Format) }
      byName.merge(try kept(fine, of: byName)) { $1 }
    }
    return try package.converted { byName[$0.name] ?? $0 }
  }

  /// Choosing looks at rollouts of a few seeds; others may change a little more.
  private static let margin = 0.97

  /// Those of the fine matrices that the tolerance has no room for as int4.
  private func kept(_ fine: [String: Weight], of rounded: [String: Weight]) throws -> [String: Weight] {
    guard !fine.isEmpty else { return [:] }
    let rollouts = try Rollout.all(
      of: package, seeds: 2..<4, frames: frames / 2, threads: threads, isCancelled: isCancelled)
    let matrices = CoarseMatrices(
      model: package.model, fine: rounded.merging(fine) { $1 },
      coarse: rounded.filter { fine[$0.key] != nil },
      change: try VelocityChange(
        of: package.model, along: rollouts, threads: threads, isCancelled: isCancelled))
    let chosen = try matrices.chosen(within: Self.margin * tolerance)
    return fine.filter { !chosen.contains($0.key) }
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
