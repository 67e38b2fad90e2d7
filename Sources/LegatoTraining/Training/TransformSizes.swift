/// Sizes of the transforms that losses compare spectra of.
enum TransformSizes {
  /// - Parameters:
  ///   - key: of the recipe, for messages.
  ///   - samples: of a crop, as far as they are compared.
  /// - Throws: ``TrainingError`` where a size does not fit into a crop, or into the largest.
  static func check(_ sizes: [Int], key: String, samples: Int) throws {
    let longest = sizes.max() ?? 0
    guard samples >= longest else {
      throw TrainingError(
        "\(key): crops hold \(samples) samples, too short for an FFT of \(longest)",
        "Make data.crop_seconds longer.")
    }
    for size in sizes where size % 4 != 0 || longest % size != 0 {
      throw TrainingError(
        "\(key): \(size) does not fit",
        "Sizes must be multiples of 4, each dividing the largest, \(longest): powers of two.")
    }
  }
}
