import LegatoNN
import LegatoTensor

/// The text tower of LAION's CLAP: RoBERTa base (Liu et al. 2019) and its projection, tokens → 512 values of unit length.
///
/// Under the names of transformers' `ClapModel`, with the 1e-5 in its normalisations that LAION's package computes with
/// (transformers' configuration says 1e-12).
struct CLAPText {
  /// Tokens, with both ends, that LAION's package cuts texts to.
  static let mostTokens = 77

  private let backend: any Backend
  private let words: Weight
  private let positions: Weight
  private let type: Weight
  private let norm: LayerNorm
  private let layers: [TextLayer]
  private let pooler: Linear
  private let projection: [Linear]

  static let width = 768

  /// Throws ``ModelError`` where a tensor is missing or of another shape.
  init(weights: any WeightSource, on backend: any Backend) throws {
    self.backend = backend
    let root = WeightScope(weights)
    let scope = root["text_model"]
    let embeddings = scope["embeddings"]
    words = try embeddings["word_embeddings"].weight("weight", [50_265, Self.width], .normal(0.02))
    positions = try embeddings["position_embeddings"].weight("weight", [514, Self.width], .normal(0.02))
    type = try embeddings["token_type_embeddings"].weight("weight", [1, Self.width], .normal(0.02))
    norm = try LayerNorm(embeddings["LayerNorm"], Self.width)
    layers = try (0..<12).map { try TextLayer(scope["encoder"]["layer"][$0]) }
    pooler = try Linear(scope["pooler"]["dense"], Self.width, Self.width)
    projection = [
      try Linear(root["text_projection"]["linear1"], Self.width, CLAPScore.dimension),
      try Linear(root["text_projection"]["linear2"], CLAPScore.dimension, CLAPScore.dimension),
    ]
  }

  /// Tokens of one text, with both ends → 512 values.
  func embed(_ tokens: [Int32]) -> [Float] {
    let n = tokens.count
    let indices = backend.tensor(tokens, shape: [n])
    // RoBERTa counts positions from 2.
    let places = backend.tensor((0..<n).map { Int32($0 + 2) }, shape: [n])
    let embedded =
      backend.tensor(of: words).gather(indices) + backend.tensor(of: positions).gather(places)
      + backend.tensor(of: type)
    var x = norm(embedded)
    for layer in layers { x = layer(x) }
    let pooled = pooler(x.slice(axis: 0, 0..<1)).tanh()
    return projection[1](projection[0](pooled).relu()).unitRows().floats()
  }
}

/// Attention of every token to every one, and a layer of two linear maps, each added to what came in and normalised.
private struct TextLayer {
  private static let heads = 12

  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let mixed: Linear
  private let attentionNorm: LayerNorm
  private let up: Linear
  private let down: Linear
  private let norm: LayerNorm

  init(_ scope: WeightScope) throws {
    let width = CLAPText.width
    let attention = scope["attention"]
    query = try Linear(attention["self"]["query"], width, width)
    key = try Linear(attention["self"]["key"], width, width)
    value = try Linear(attention["self"]["value"], width, width)
    mixed = try Linear(attention["output"]["dense"], width, width)
    attentionNorm = try LayerNorm(attention["output"]["LayerNorm"], width)
    up = try Linear(scope["intermediate"]["dense"], width, 4 * width)
    down = try Linear(scope["output"]["dense"], 4 * width, width)
    norm = try LayerNorm(scope["output"]["LayerNorm"], width)
  }

  /// `[n, width]` → `[n, width]`.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let size = CLAPText.width / Self.heads
    func head(_ x: Tensor) -> Tensor { x.reshape([-1, Self.heads, size]).permute([1, 0, 2]) }
    let scores =
      head(query(x)).matmul(head(key(x)), transposed: true) * (1 / Float(size).squareRoot())
    let attended = scores.softmax().matmul(head(value(x))).permute([1, 0, 2]).reshape([-1, CLAPText.width])
    let middle = attentionNorm(mixed(attended) + x)
    return norm(down(up(middle).exactGELU()) + middle)
  }
}
