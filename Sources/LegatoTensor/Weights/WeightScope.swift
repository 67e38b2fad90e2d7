/// Where a model's weights come from: a seed, a file, a training run.
public protocol WeightSource: AnyObject {
  /// The parameter of that name. Throws ``ModelError`` where it is missing or of another shape.
  func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight
}

/// Distribution of a parameter before training.
public enum Initializer: Sendable, Hashable {
  case zeros
  case constant(Float)
  /// Normal with this standard deviation.
  case normal(Float)
  /// Uniform in ±1/√(inputs), PyTorch's default for linear layers.
  case linear(inputs: Int)
}

/// A place in a model's tree of names, handed to each module's initialiser.
///
/// A module declares each parameter once, by asking its scope for it: name, shape and initial distribution stand
/// beside the property that holds it, and the list of parameters is what was asked for, in order.
public struct WeightScope {
  private let registry: WeightRegistry
  public let path: String

  public init(_ source: any WeightSource) {
    registry = WeightRegistry(source)
    path = ""
  }

  private init(registry: WeightRegistry, path: String) {
    self.registry = registry
    self.path = path
  }

  /// The scope of a child.
  public subscript(_ name: String) -> WeightScope {
    WeightScope(registry: registry, path: path.isEmpty ? name : path + "." + name)
  }
  public subscript(_ index: Int) -> WeightScope { self[String(index)] }

  public func weight(_ name: String, _ shape: [Int], _ initial: Initializer) throws -> Weight {
    let weight = try registry.source.weight(named: self[name].path, shape: shape, initial: initial)
    registry.weights.append(weight)
    return weight
  }

  /// Every weight that modules below the root have asked for, in order.
  public var weights: [Weight] { registry.weights }
}

private final class WeightRegistry {
  let source: any WeightSource
  var weights: [Weight] = []

  init(_ source: any WeightSource) { self.source = source }
}

/// Fresh weights, each a function of seed and name.
public final class RandomWeights: WeightSource {
  private let seed: UInt64
  private let everywhere: Float?

  /// - Parameter everywhere: parity tests give every tensor, also those that start at zero or one, normal noise of
  ///   this size on top, since zeros hide errors.
  public init(seed: UInt64, everywhere: Float? = nil) {
    self.seed = seed
    self.everywhere = everywhere
  }

  public func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    let count = shape.reduce(1, *)
    let random = RandomStream(seed: seed, name: name)
    var values: [Float]
    switch initial {
    case .zeros: values = [Float](repeating: 0, count: count)
    case .constant(let value): values = [Float](repeating: value, count: count)
    case .normal(let deviation): values = random.normal(count).map { $0 * deviation }
    case .linear(let inputs):
      let bound = 1 / Float(inputs).squareRoot()
      values = random.uniform(count).map { (2 * $0 - 1) * bound }
    }
    if let everywhere {
      let noise = RandomStream(seed: seed ^ 0x9e37_79b9, name: name).normal(count)
      for index in values.indices { values[index] += everywhere * noise[index] }
    }
    return Weight(name: name, shape: shape, values: values)
  }
}

/// Weights by name, as a training run or a test holds them.
public final class NamedWeights: WeightSource {
  private let weights: [String: Weight]
  private let origin: String

  public init(_ weights: [Weight], origin: String) {
    self.weights = Dictionary(weights.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    self.origin = origin
  }

  public func weight(named name: String, shape: [Int], initial: Initializer) throws -> Weight {
    guard let weight = weights[name] else { throw ModelError.missingTensor(name: name, file: origin) }
    guard weight.shape == shape else {
      throw ModelError.shapeMismatch(name: name, file: origin, expected: shape, found: weight.shape)
    }
    return weight
  }
}

/// Weights that do not fit the model that asks for them.
public enum ModelError: Error, Equatable, CustomStringConvertible {
  case missingTensor(name: String, file: String)
  case shapeMismatch(name: String, file: String, expected: [Int], found: [Int])
  case notFinite(name: String, file: String)
  case invalid(file: String, reason: String)

  public var description: String {
    switch self {
    case .missingTensor(let name, let file):
      "\(file): the tensor '\(name)' is missing. The file belongs to another architecture or is damaged; compare with `legato info`."
    case .shapeMismatch(let name, let file, let expected, let found):
      "\(file): the tensor '\(name)' has shape \(found) where the model needs \(expected). The configuration and the weights do not belong together."
    case .notFinite(let name, let file):
      "\(file): the tensor '\(name)' contains NaN or infinite values. Use an earlier checkpoint."
    case .invalid(let file, let reason):
      "\(file): \(reason)"
    }
  }
}
