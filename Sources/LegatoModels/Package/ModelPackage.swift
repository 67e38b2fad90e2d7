import LegatoCodecs
import LegatoTensor

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A folder that holds everything to generate: `config.json`, `model.safetensors`, `codec/`, a model card,
/// and perhaps `styles/`.
///
/// Loaded once; any number of sessions run on it. All of it is immutable.
public struct ModelPackage: Sendable {
  /// Newest layout that this version reads and writes.
  public static let formatVersion = 1

  public let path: String
  public let configuration: ModelConfigurationFile
  public let model: ContinuousModel
  public let codec: CodecPackage
  /// By name.
  public let styles: [Style]
  /// README.md; empty where it is missing.
  public let card: String

  /// A package in memory, such as a model in training.
  public init(
    model: ContinuousModel, codec: CodecPackage, configuration: ModelConfigurationFile, styles: [Style] = [],
    card: String = ""
  ) {
    path = ""
    self.card = card
    self.styles = styles
    self.model = model
    self.codec = codec
    self.configuration = configuration
  }

  /// Loads a package. Throws ``PackageError``, ``ModelError`` or a safetensors error that names file and remedy.
  ///
  /// - Parameter streams: whether one that draws whole sequences, and so cannot stream, is refused.
  public init(path: String, streams: Bool = true) throws {
    self.path = path
    configuration = try PackageFiles.configuration(in: path, kind: "model")
    if streams, !configuration.model.backbone.isCausal {
      throw PackageError(
        path: path, reason: "the model draws whole sequences, and cannot stream",
        remedy: "train one with model.causal: true; `legato reproduce cam` measures this one")
    }
    if let problem = configuration.model.problem ?? configuration.generation.problem {
      throw PackageError(damaged: path + "/config.json", problem)
    }
    model = try ContinuousModel(
      configuration.model, weights: PackageFiles.weights(path + "/model.safetensors"))
    styles = try Style.all(in: path, of: model)
    card = (try? String(contentsOf: URL(fileURLWithPath: path + "/README.md"), encoding: .utf8)) ?? ""
    codec = try CodecPackage(path: path + "/codec")
    let dimension = codec.codec.latentDimension
    guard dimension == configuration.model.latentDimension else {
      throw PackageError(
        path: path,
        reason:
          "the codec's latents have \(dimension) dimensions where the model needs \(configuration.model.latentDimension)",
        remedy: "put the codec beside it that the model was trained with")
    }
    if let expected = configuration.training?.codecHash, expected != codec.hash,
      expected != CodecPackage.earlierHash(of: codec.codec)
    {
      throw PackageError(
        path: path, reason: "the codec is not the one that the model was trained with",
        remedy: "put the codec of the training run into the package's 'codec' folder")
    }
    if let expected = configuration.codec, expected != codec.configuration.codec {
      throw PackageError(
        damaged: codec.path + "/config.json",
        "the codec's sizes are not those that the model was trained with")
    }
  }

  /// SHA-256 of the model's file of weights, 64 lower-case hexadecimal digits. Throws where it cannot be read.
  public func sha256() throws -> String { try SafetensorsFile(path: path + "/model.safetensors").sha256() }

  /// Bytes of all weights.
  public var weightByteCount: Int { (model.weights + codec.codec.weights).reduce(0) { $0 + $1.byteCount } }

  /// Replaces the settings of generation in the package's folder, and nothing else. Throws where it cannot be written.
  public func write(generation: GenerationDefaults) throws {
    var configuration = configuration
    configuration.generation = generation
    try PackageFiles.write(configuration, to: path + "/config.json")
  }

  /// Puts a style into the package's folder, in the place of one of its name. Throws ``PackageError`` where it does not fit the model.
  public func write(style: Style) throws { try style.write(toPackage: path, of: model) }

  /// Writes a package: `card` becomes its README.md. The codec's folder is copied. Matrices are stored in `format`, or as they are
  /// where it is nil. Throws ``PackageError`` for a style that does not fit the model. `styles` must be of a model with these weights in this format.
  public static func write(
    to path: String, configuration: ModelConfigurationFile, weights: [Weight],
    format: WeightFormat? = .float32, styles: [Style] = [], codec: CodecPackage, card: String
  ) throws {
    var configuration = configuration
    configuration.codec = codec.configuration.codec
    try PackageFiles.writeFolder(path) { folder in
      let stored = format.map { format in weights.map { $0.stored(as: format) } } ?? weights
      try SafetensorsWriter.write(stored, to: folder + "/model.safetensors")
      if !styles.isEmpty {
        let model = try ContinuousModel(
          configuration.model, weights: NamedWeights(stored, origin: folder + "/model.safetensors"))
        for style in styles { try style.write(toPackage: folder, of: model) }
      }
      try PackageFiles.write(configuration, to: folder + "/config.json")
      try PackageFiles.write(text: card, to: folder + "/README.md")
      try CodecPackage.write(
        to: folder + "/codec", configuration: codec.configuration, weights: codec.codec.weights, format: nil,
        card: codec.card)
    }
  }
}

/// A codec's folder: `config.json`, `codec.safetensors`, and a card.
public struct CodecPackage: Sendable {
  public let path: String
  public let configuration: CodecConfigurationFile
  public let codec: SpectralCodec
  public let card: String
  /// Content hash of what latents depend on, the encoder and its statistics: codecs of one hash share latents and models,
  /// also where the decoder of one was trained further, or its weights were converted (``ConvertedCodec``).
  public let hash: String

  public init(path: String) throws {
    self.path = path
    configuration = try PackageFiles.configuration(in: path, kind: "codec")
    if let problem = configuration.codec.problem {
      throw PackageError(damaged: path + "/config.json", problem)
    }
    codec = try SpectralCodec(
      configuration.codec, weights: PackageFiles.weights(path + "/codec.safetensors"))
    card = (try? String(contentsOf: URL(fileURLWithPath: path + "/README.md"), encoding: .utf8)) ?? ""
    hash = Self.hash(of: codec, configuration.converted)
  }

  /// SHA-256 of the file of weights, decoder included, 64 lower-case hexadecimal digits. Throws where it cannot be read.
  public func sha256() throws -> String { try SafetensorsFile(path: path + "/codec.safetensors").sha256() }

  /// A package in memory.
  public init(codec: SpectralCodec, configuration: CodecConfigurationFile, card: String = "") {
    path = ""
    (self.codec, self.configuration, self.card) = (codec, configuration, card)
    hash = Self.hash(of: codec, configuration.converted)
  }

  /// - Parameter format: format of the matrices; nil keeps each weight's own.
  public static func write(
    to path: String, configuration: CodecConfigurationFile, weights: [Weight], format: WeightFormat?,
    card: String
  ) throws {
    try PackageFiles.writeFolder(path) { folder in
      let stored = format.map { format in weights.map { $0.stored(as: format) } } ?? weights
      try SafetensorsWriter.write(stored, to: folder + "/codec.safetensors")
      try PackageFiles.write(configuration, to: folder + "/config.json")
      try PackageFiles.write(text: card, to: folder + "/README.md")
    }
  }

  /// Over names, shapes and stored bytes.
  static func hash(of codec: SpectralCodec) -> String {
    hash(
      of: codec.weights.filter {
        SpectralCodec.isOfEncoder($0.name) || SpectralCodec.statisticsNames.contains($0.name)
      })
  }

  private static func hash(of codec: SpectralCodec, _ converted: ConvertedCodec?) -> String {
    let own = hash(of: codec)
    return converted?.stored == own ? converted?.original ?? own : own
  }

  /// What packages of the first version hold: it covered the decoder, too.
  static func earlierHash(of codec: SpectralCodec) -> String { hash(of: codec.weights) }

  private static func hash(of weights: [Weight]) -> String {
    var fingerprint = Fingerprint()
    for weight in weights { fingerprint.mix(weight) }
    let digits = String(fingerprint.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// A folder that is not a usable package: what, where, and what to do.
public struct PackageError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let reason: String
  public let remedy: String

  public init(path: String, reason: String, remedy: String) {
    self.path = path
    self.reason = reason
    self.remedy = remedy
  }

  /// A file that says what it cannot have said when the package was made.
  init(damaged path: String, _ reason: String) {
    self.init(path: path, reason: reason, remedy: "restore the file from where the package came from")
  }

  public var description: String { "\(path): \(reason); \(remedy)." }
}
