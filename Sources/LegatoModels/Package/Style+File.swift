import LegatoTensor

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// `styles/NAME.safetensors` of a package: the weights of a style under the names that they have in the model, `latent_mean`
/// and `latent_covariance`; in the metadata, which model they belong to, and factors of settings of generation that are not 1.
extension Style {
  static let folder = "styles"
  private static let ending = ".safetensors"
  private static let formatKey = "legato_style"
  private static let modelKey = "model"
  private static let factorKeys: [(name: String, factor: any WritableKeyPath<Factors, Float> & Sendable)] = [
    ("feedback_gain", \.feedbackGain), ("context_noise", \.contextNoise), ("temperature", \.temperature),
  ]

  /// All styles of a package by name; none where the folder is missing.
  static func all(in package: String, of model: ContinuousModel) throws -> [Style] {
    let folder = package + "/" + Self.folder
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    let files: [String]
    do { files = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
      throw PackageError(
        path: folder, reason: "the folder cannot be read", remedy: "make it a readable folder")
    }
    return try files.filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }.sorted().map {
      try read(folder + "/" + $0, of: model)
    }
  }

  static func read(_ path: String, of model: ContinuousModel) throws -> Style {
    let name = String((path.split(separator: "/").last ?? "").dropLast(ending.count))
    guard isName(name) else {
      throw PackageError(
        path: path, reason: "a style cannot be called '\(name)'",
        remedy: "name the file with at most 40 letters, digits, - and _, but not any or none")
    }
    let source = try FileWeights(path: path)
    let file = source.file
    guard file.metadata[formatKey] == "1" else {
      throw PackageError(
        path: path, reason: "this is no style of a kind that this Legato reads",
        remedy: "update Legato, or remove the file")
    }
    guard file.metadata[modelKey] == model.styleKey else {
      throw PackageError(
        path: path, reason: "the style belongs to another model",
        remedy: "train it on this one (Recipes/style.yaml), or remove the file")
    }
    let weights = try model.styleWeights.map {
      try source.weight(named: $0.name, shape: $0.shape, initial: .zeros)
    }
    let d = model.configuration.latentDimension
    guard
      let latents = LatentStatistics(
        mean: try source.weight(named: "latent_mean", shape: [d], initial: .zeros).floats(),
        covariance: try source.weight(named: "latent_covariance", shape: [d, d], initial: .zeros).floats())
    else { throw PackageError(damaged: path, "its covariance is not positive definite") }
    var factors = Factors()
    for (key, factor) in factorKeys {
      guard let text = file.metadata[key] else { continue }
      guard let value = Float(text), Factors.range.contains(value) else {
        throw PackageError(damaged: path, "its factor \(key) is '\(text)'")
      }
      factors[keyPath: factor] = value
    }
    return Style(name: name, weights: weights, latents: latents, factors: factors)
  }

  /// Throws ``PackageError`` where the style cannot be one of the model.
  func write(toPackage package: String, of model: ContinuousModel) throws {
    guard Self.isName(name), fits(model), latents.dimension == model.configuration.latentDimension else {
      throw PackageError(
        path: package, reason: "the style '\(name)' does not fit the model, or cannot be called so",
        remedy: "train it on this model, and name it with letters, digits, - and _")
    }
    for (key, factor) in Self.factorKeys where !Factors.range.contains(factors[keyPath: factor]) {
      throw PackageError(
        path: package, reason: "the style '\(name)' has the factor \(key) \(factors[keyPath: factor])",
        remedy: "choose one from \(Factors.range.lowerBound) to \(Factors.range.upperBound)")
    }
    let folder = package + "/" + Self.folder
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let d = latents.dimension
    let statistics = [
      Weight(name: "latent_mean", shape: [d], values: latents.mean),
      Weight(name: "latent_covariance", shape: [d, d], values: latents.covariance),
    ]
    var metadata = [Self.formatKey: "1", Self.modelKey: model.styleKey]
    for (key, factor) in Self.factorKeys where factors[keyPath: factor] != 1 {
      metadata[key] = "\(factors[keyPath: factor])"
    }
    try SafetensorsWriter.write(
      weights.map { $0.converted(to: .float32) } + statistics, to: "\(folder)/\(name)\(Self.ending)",
      metadata: metadata)
  }
}

extension ContinuousModel {
  /// What a style's file says of the model that it belongs to: over what styles have not of their own.
  package var styleKey: String {
    var fingerprint = Fingerprint()
    for weight in weights where !Style.has(weight.name) { fingerprint.mix(weight, words: 64) }
    return String(fingerprint.value, radix: 16)
  }
}
