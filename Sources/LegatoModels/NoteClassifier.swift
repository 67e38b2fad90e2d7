import LegatoNN
import LegatoTensor

/// Hears which instrument plays in a second of sound, and which keys: Legato's own embedder.
///
/// ```
/// spectrum    [B, 48000] → [B, 21, 208]     LogFrequencySpectrum, as loud as the window's loudest band
/// frames      ConvNeXt blocks over time, as in Vocos (Siuzdak 2023)
/// embedding   linear(mean over frames, maximum over frames)   [B, dimension]
/// instruments, keys   linear(embedding)
/// ```
/// The heads read nothing but the embedding, so that it holds what they tell. Windows know nothing of each other.
public struct NoteClassifier: Sendable {
  /// Keys of a piano: A0 to C8.
  public static let keys = 21...108

  public let configuration: NoteClassifierConfiguration
  /// Every parameter, in the order of declaration.
  public let weights: [Weight]

  private let input: Linear
  private let blocks: [ConvNeXtBlock]
  private let norm: LayerNorm
  private let embedding: Linear
  private let instruments: Linear
  private let keys: Linear

  /// What is heard in `B` windows.
  public struct Output {
    /// `[B, dimension]`.
    public let embedding: Tensor
    /// `[B, instruments]`; after a softmax, each instrument's share.
    public let instruments: Tensor
    /// `[B, 88]`, one a key; above 0 where the key more likely sounds than not.
    public let keys: Tensor
  }

  /// Throws ``ModelError`` where the weights do not fit.
  public init(_ configuration: NoteClassifierConfiguration, weights source: any WeightSource) throws {
    self.configuration = configuration
    let (scope, width) = (WeightScope(source), configuration.width)
    input = try Linear(scope["input"], LogFrequencySpectrum.bands, width)
    blocks = try (0..<configuration.blocks).map { try ConvNeXtBlock(scope["blocks"][$0], width: width) }
    norm = try LayerNorm(scope["norm"], width)
    embedding = try Linear(scope["embedding"], 2 * width, configuration.dimension)
    instruments = try Linear(scope["instruments"], configuration.dimension, configuration.instruments.count)
    keys = try Linear(scope["keys"], configuration.dimension, Self.keys.count)
    weights = scope.weights
  }

  /// Windows of the mono mix at 48 kHz, `[B, LogFrequencySpectrum.samples]`.
  public func callAsFunction(_ windows: Tensor) -> Output {
    var x = input(LogFrequencySpectrum.of(windows))
    for block in blocks { x = block(x) }
    x = norm(x)
    let pooled = Tensor.concatenate([x.mean(axis: 1), x.max(axis: 1)], axis: -1)
    let embedded = embedding(pooled.reshape([x.dim(0), 2 * configuration.width]))
    return Output(embedding: embedded, instruments: instruments(embedded), keys: keys(embedded))
  }
}

/// Sizes of a ``NoteClassifier``, and the instruments that it tells apart.
public struct NoteClassifierConfiguration: Codable, Sendable, Hashable {
  public var width: Int
  public var blocks: Int
  /// Of the embedding.
  public var dimension: Int
  public var instruments: [Instrument]

  public struct Instrument: Codable, Sendable, Hashable {
    /// General MIDI program, 0...127.
    public var program: Int
    public var name: String
    /// Group of similar instruments: "strings".
    public var family: String

    public init(program: Int, name: String, family: String) {
      (self.program, self.name, self.family) = (program, name, family)
    }
  }

  public init(width: Int, blocks: Int, dimension: Int, instruments: [Instrument]) {
    (self.width, self.blocks, self.dimension, self.instruments) = (width, blocks, dimension, instruments)
  }

  /// What is wrong with these numbers, in words; nil where nothing is.
  public var problem: String? {
    if !(1...4096).contains(width) { return "width is \(width); it must be from 1 to 4096" }
    if !(0...64).contains(blocks) { return "blocks is \(blocks); it must be from 0 to 64" }
    if !(1...4096).contains(dimension) { return "dimension is \(dimension); it must be from 1 to 4096" }
    return (2...1024).contains(instruments.count)
      ? nil : "there are \(instruments.count) instruments; it takes from 2 to 1024 to tell them apart"
  }
}
