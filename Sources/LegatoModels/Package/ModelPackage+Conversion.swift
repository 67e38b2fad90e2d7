import LegatoCodecs
import LegatoTensor

extension ModelPackage {
  /// The same package with other stored weights, in memory.
  ///
  /// Its styles belong to the new weights once it is written; its codec still speaks the latents of the old one (``ConvertedCodec``).
  ///
  /// - Parameter convert: gives each weight of model and codec its new form, of the same name and shape.
  public func converted(by convert: (Weight) throws -> Weight) throws -> ModelPackage {
    let codec = try codec.converted(by: convert)
    var configuration = configuration
    if configuration.training?.codecHash != nil { configuration.training?.codecHash = codec.hash }
    let model = try ContinuousModel(
      configuration.model, weights: NamedWeights(model.weights.map(convert), origin: path))
    return ModelPackage(model: model, codec: codec, configuration: configuration, styles: styles, card: card)
  }

  /// The same package with other settings of generation, in memory.
  public func with(generation: GenerationDefaults) -> ModelPackage {
    with(generation: generation, codec: codec)
  }

  /// The same, and with a codec of the same encoder.
  package func with(generation: GenerationDefaults, codec: CodecPackage) -> ModelPackage {
    var configuration = configuration
    configuration.generation = generation
    return ModelPackage(model: model, codec: codec, configuration: configuration, styles: styles, card: card)
  }

  /// Writes the package as it is, every weight in its own format. Throws where the folder cannot be written.
  public func write(to path: String, card: String) throws {
    try Self.write(
      to: path, configuration: configuration, weights: model.weights, format: nil, styles: styles,
      codec: codec,
      card: card)
  }
}

extension CodecPackage {
  /// The same codec with other stored weights, in memory; it keeps its ``hash``.
  public func converted(by convert: (Weight) throws -> Weight) throws -> CodecPackage {
    let codec = try SpectralCodec(
      codec.configuration, weights: NamedWeights(codec.weights.map(convert), origin: path))
    var configuration = configuration
    let stored = Self.hash(of: codec)
    configuration.converted = stored == hash ? nil : ConvertedCodec(original: hash, stored: stored)
    return CodecPackage(codec: codec, configuration: configuration, card: card)
  }
}
