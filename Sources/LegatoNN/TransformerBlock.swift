import LegatoTensor

/// A pre-norm transformer block: attention, then a GELU feed-forward layer, each added to its input.
public struct TransformerBlock: Sendable {
  private let attentionNorm: RMSNorm
  public let attention: CausalSelfAttention
  private let feedForwardNorm: RMSNorm
  private let expand: Linear
  private let contract: Linear

  /// - Parameter depth: layers of the whole backbone; residual outputs start smaller the more there are (GPT-2).
  public init(
    _ scope: WeightScope, width: Int, heads: Int, feedForward: Int, window: Int, sinks: Int, depth: Int
  ) throws {
    let deviation = 0.02 / Float(2 * depth).squareRoot()
    attentionNorm = try RMSNorm(scope["attention_norm"], width)
    attention = try CausalSelfAttention(
      scope["attention"], width: width, heads: heads, window: window, sinks: sinks, outputDeviation: deviation
    )
    feedForwardNorm = try RMSNorm(scope["feedforward_norm"], width)
    expand = try Linear(scope["feedforward.in"], width, feedForward, bias: false, initial: .normal(0.02))
    contract = try Linear(
      scope["feedforward.out"], feedForward, width, bias: false, initial: .normal(deviation))
  }

  public typealias State = CausalSelfAttention.State
  public func makeState(in stream: StreamState, settings: StreamState, margin: Int = 0) -> State {
    attention.makeState(in: stream, settings: settings, margin: margin)
  }

  public func callAsFunction(_ x: Tensor, positions: Tensor) -> Tensor {
    feed(x + attention(attentionNorm(x), positions: positions))
  }

  /// With attention that looks ahead, too.
  public func bothWays(_ x: Tensor, positions: Tensor) -> Tensor {
    feed(x + attention.bothWays(attentionNorm(x), positions: positions))
  }

  public func callAsFunction(_ x: Tensor, positions: Tensor, slots: Tensor, state: inout State) -> Tensor {
    feed(x + attention(attentionNorm(x), positions: positions, slots: slots, state: &state))
  }

  private func feed(_ x: Tensor) -> Tensor { x + contract(expand(feedForwardNorm(x)).gelu()) }
}
