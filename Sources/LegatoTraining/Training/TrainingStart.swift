import Foundation
import LegatoCodecs
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

  /// A model to go on from.
  ///
  /// Its latents should be those of this codec, or of one that this codec was fine-tuned from; any other codec of the
  /// same dimension and rate is possible too, though little of what was learnt then helps.
  static func model(at path: String, codec: CodecPackage) throws -> ModelPackage {
    let package = try ModelPackage(path: path)
    let (theirs, ours) = (package.codec.codec, codec.codec)
    guard theirs.latentDimension == ours.latentDimension, theirs.frameRate == ours.frameRate else {
      throw TrainingError(
        "\(path): the model reads \(theirs.latentDimension) dimensions, \(theirs.frameRate) times a second, and the data have "
          + "\(ours.latentDimension), \(ours.frameRate) times a second",
        "Prepare the recordings with `legato prepare --codec \(path)/codec`, or train without --from.")
    }
    return package
  }
}
