import LegatoCodecs
import LegatoTensor

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A folder that holds everything to generate: `config.json`, `model.safetensors`, `codec/`, and a model card.
///
/// Loaded once; any number of sessions run on it. All of it is immutable.
public struct ModelPackage: Sendable {
  /// Newest layout that this version reads and writes.
  public static let formatVersion = 1

  public let path: String
  public let configuration: ModelConfigurationFile
  public let model: ContinuousModel
  public let codec: CodecPackage

  /// A package in memory, such as a model in training.
  public init(model: ContinuousModel, codec: CodecPackage, configuration: ModelConfigurationFile) {
    path = ""
    self.model = model
    self.codec = codec
    self.configuration = configuration
  }

  /// Loads a package. Throws ``PackageError``, ``ModelError`` or a safetensors error that names file and remedy.
  public init(path: String) throws {
    self.path = path
    configuration = try PackageFiles.configuration(in: path, kind: "model")
    if let problem = configuration.generation.problem {
      throw PackageError(
        path: path + "/config.json", reason: "generation: \(problem)",
        remedy: "restore the file from where the package came from")
    }
    let weightsPath = path + "/model.safetensors"
    model = try ContinuousModel(configuration.model, weights: FileWeights(path: weightsPath))
    codec = try CodecPackage(path: path + "/codec")
    let dimension = codec.codec.latentDimension
    guard dimension == configuration.model.latentDimension else {
      throw PackageError(
        path: path,
        reason:
          "the codec's latents have \(dimension) dimensions where the model needs \(configuration.model.latentDimension)",
        remedy: "put the codec beside it that the model was trained with")
    }
    if let expected = configuration.training?.codecHash, expected != codec.hash {
      throw PackageError(
        path: path, reason: "the codec is not the one that the model was trained with",
        remedy: "put the codec of the training run into the package's 'codec' folder")
    }
  }

  /// Bytes of all weights.
  public var weightByteCount: Int { (model.weights + codec.codec.weights).reduce(0) { $0 + $1.byteCount } }

  /// Writes a package: `card` becomes its README.md. The codec's folder is copied. Matrices are stored in `format`.
  public static func write(
    to path: String, configuration: ModelConfigurationFile, weights: [Weight],
    format: WeightFormat = .float32,
    codec: CodecPackage, card: String
  ) throws {
    try PackageFiles.writeFolder(path) { folder in
      try SafetensorsWriter.write(weights.map { $0.stored(as: format) }, to: folder + "/model.safetensors")
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
  /// Content hash of the weights as they are computed with.
  public let hash: String

  public init(path: String) throws {
    self.path = path
    configuration = try PackageFiles.configuration(in: path, kind: "codec")
    codec = try SpectralCodec(configuration.codec, weights: FileWeights(path: path + "/codec.safetensors"))
    card = (try? String(contentsOf: URL(fileURLWithPath: path + "/README.md"), encoding: .utf8)) ?? ""
    hash = Self.hash(of: codec)
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

  /// FNV-1a over names, shapes and stored bytes: tells codecs apart, not a cryptographic hash.
  static func hash(of codec: SpectralCodec) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func mix(_ word: UInt64) { hash = (hash ^ word) &* 0x100_0000_01b3 }
    for weight in codec.weights {
      weight.name.utf8.forEach { mix(UInt64($0)) }
      weight.shape.forEach { mix(UInt64($0)) }
      let bytes = weight.storage.bytes
      for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
        mix(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      }
      for offset in bytes.count / 8 * 8..<bytes.count { mix(UInt64(bytes[offset])) }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension Weight {
  /// Large matrices in `format`; everything small stays f32, where it costs nothing and matters most.
  public func stored(as format: WeightFormat) -> Weight {
    shape.count == 2 && count >= 4096 ? converted(to: format) : converted(to: .float32)
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

  public var description: String { "\(path): \(reason); \(remedy)." }
}
