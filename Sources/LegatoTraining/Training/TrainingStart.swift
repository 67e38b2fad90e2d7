import Foundation
import LegatoModels

/// The packages that a run starts from.
enum TrainingStart {
  /// A codec package, or the codec inside a model package.
  static func codec(at path: String) throws -> CodecPackage {
    let inner = path + "/codec"
    return try CodecPackage(
      path: FileManager.default.fileExists(atPath: inner + "/config.json") ? inner : path)
  }

  /// The codec that made the latents; its weights must be those that made them.
  static func codec(of data: LatentDataset, recipe: Recipe) throws -> CodecPackage {
    let beside = recipe.data.source + "/codec"
    let codec = try codec(
      at: FileManager.default.fileExists(atPath: beside + "/config.json") ? beside : data.codecPath)
    guard codec.hash == data.codecHash else {
      throw TrainingError(
        "\(recipe.data.source): its latents were made with another codec than the one at \(data.codecPath)",
        "Prepare the recordings again with that codec, or put the old codec back.")
    }
    return codec
  }

  /// A model to go on from: its latents must be those of this codec.
  static func model(at path: String, codec: CodecPackage) throws -> ModelPackage {
    let package = try ModelPackage(path: path)
    guard package.codec.hash == codec.hash else {
      throw TrainingError(
        "\(path): the model was trained on another codec than the one that prepared the data",
        "Prepare the recordings with `legato prepare --codec \(path)/codec`.")
    }
    return package
  }
}
