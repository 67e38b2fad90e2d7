import LegatoTensor

/// Causal self-attention within a sliding window, with learned sinks that are never evicted.
///
/// A sink is a learned key and value per head that every position sees, whatever has left the window
/// (after Xiao et al., "Efficient streaming language models with attention sinks", 2023). Positions are rotary
/// (Su et al. 2021) on three quarters of each head; the keys of sinks live in the quarter that does not turn, so
/// that only distances count, at any position of an endless stream.
public struct CausalSelfAttention: Sendable {
  public let heads: Int
  public let headDimension: Int
  public let window: Int
  public let rotaryBase: Float
  /// Pairs of a head's dimensions that turn with the position.
  public let rotaryPairs: Int
  private let input: Linear
  private let output: Linear
  private let sinkKeys: Weight
  private let sinkValues: Weight

  public init(
    _ scope: WeightScope, width: Int, heads: Int, window: Int, sinks: Int, rotaryBase: Float = 10_000,
    outputDeviation: Float
  ) throws {
    precondition(
      width % heads == 0 && (width / heads) % 2 == 0,
      "width \(width) does not divide into \(heads) even heads")
    precondition(sinks >= 1, "at least one sink keeps a long stream from collapsing")
    self.heads = heads
    headDimension = width / heads
    self.window = window
    self.rotaryBase = rotaryBase
    rotaryPairs = headDimension / 2 * 3 / 4
    input = try Linear(scope["in"], width, 3 * width, bias: false, initial: .normal(0.02))
    output = try Linear(scope["out"], width, width, bias: false, initial: .normal(outputDeviation))
    sinkKeys = try scope.weight("sink_keys", [sinks, heads, headDimension], .normal(0.02))
    sinkValues = try scope.weight("sink_values", [sinks, heads, headDimension], .zeros)
  }

  /// Keys and values of the last `window + margin` positions, each `[slots, heads, window + margin, headDimension]`, and of the sinks, each
  /// `[slots, sinks, heads, headDimension]`: a stream may have sinks of its own.
  public struct State {
    var cache: (keys: StateTensor, values: StateTensor)
    var sinks: (keys: StateTensor, values: StateTensor)

    /// Replaces the sinks of a slot by what ``CausalSelfAttention/sinks(replaced:)`` gives.
    public func set(sinks given: (keys: [Float], values: [Float]), slot: Int) {
      sinks.keys.set(given.keys, slot: slot)
      sinks.values.set(given.values, slot: slot)
    }
  }

  /// What a stream's keys and values are kept in: bf16 where the weights are int8 or int4, since late in a stream they are a good part of
  /// what a frame reads then.
  public var cachePrecision: DType { input.weight.format.group == nil ? .float32 : .bfloat16 }

  /// - Parameters:
  ///   - stream: holds the cache.
  ///   - settings: holds the sinks, which are set, not streamed into: every slot has to be given some.
  ///   - margin: how many positions a stream can go back: older keys and values are still there then.
  public func makeState(in stream: StreamState, settings: StreamState, margin: Int = 0) -> State {
    let shape = [heads, window + margin, headDimension]
    let sinkShape = Array(sinkKeys.shape)
    return State(
      cache: (stream.make(shape, cachePrecision), stream.make(shape, cachePrecision)),
      sinks: (settings.make(sinkShape), settings.make(sinkShape)))
  }

  /// Whole sequences: x `[B, T, width]`, positions int32 `[T]`.
  public func callAsFunction(_ x: Tensor, positions: Tensor) -> Tensor {
    let (q, k, v) = project(x, positions: positions)
    let sinks = sinks(on: x.backend)
    let mixed = Tensor.apply(.attention(window: window), [q, k, v, sinks.keys, sinks.values])
    return output(mixed.reshape(x.shape))
  }

  /// Whole sequences of which every position sees every other, and the sinks: x `[B, T, width]`, positions int32 `[T]`.
  public func bothWays(_ x: Tensor, positions: Tensor) -> Tensor {
    let (q, k, v) = project(x, positions: positions)
    let sinks = sinks(on: x.backend)
    func byHead(_ tensor: Tensor) -> Tensor { tensor.permute([0, 2, 1, 3]) }
    func all(_ tensor: Tensor, _ sinks: Tensor) -> Tensor {
      let still = sinks.permute([1, 0, 2]).reshape([1, heads, -1, headDimension])
        .broadcast(to: [x.dim(0), heads, sinks.dim(0), headDimension])
      return .concatenate([still, byHead(tensor)], axis: 2)
    }
    let scale = 1 / Float(headDimension).squareRoot()
    let shares = (byHead(q) * scale).matmul(all(k, sinks.keys), transposed: true).softmax()
    return output(shares.matmul(all(v, sinks.values)).permute([0, 2, 1, 3]).reshape(x.shape))
  }

  /// The next positions of some streams: x `[B, T, width]`, positions int32 `[B · T]`, consecutive in each row, slots int32 `[B]`.
  public func callAsFunction(_ x: Tensor, positions: Tensor, slots: Tensor, state: inout State) -> Tensor {
    // Every row has positions of its own, which is one long row to what only turns.
    let (q, k, v) = project(x.reshape([1, -1, x.dim(2)]), positions: positions)
    func rows(_ tensor: Tensor) -> Tensor { tensor.reshape([x.dim(0), x.dim(1), heads, headDimension]) }
    let mixed = rows(q).attentionStream(
      keys: rows(k), values: rows(v), sinks: state.sinks, cache: &state.cache, positions: positions,
      slots: slots,
      window: window)
    return output(mixed.reshape(x.shape))
  }

  /// Keys and values of the sinks as attention sees them, `[sinks, heads, headDimension]`: the learned ones, or those that
  /// bear their names.
  public func sinks(replaced: [String: Weight] = [:]) -> (keys: [Float], values: [Float]) {
    let still = still
    let keys = (replaced[sinkKeys.name] ?? sinkKeys).floats()
    return (
      keys.indices.map { keys[$0] * still[$0 % headDimension] },
      (replaced[sinkValues.name] ?? sinkValues).floats()
    )
  }

  /// 1 in the dimensions that do not turn.
  private var still: [Float] {
    let half = headDimension / 2
    return (0..<headDimension).map { $0 % half < rotaryPairs ? 0 : 1 }
  }

  private func sinks(on backend: any Backend) -> (keys: Tensor, values: Tensor) {
    let keys = backend.tensor(of: sinkKeys) * backend.tensor(still, shape: [headDimension])
    return (keys, backend.tensor(of: sinkValues))
  }

  private func project(_ x: Tensor, positions: Tensor) -> (Tensor, Tensor, Tensor) {
    let parts = input(x).split(axis: -1, parts: 3).map {
      $0.reshape([x.dim(0), x.dim(1), heads, headDimension])
    }
    func rotated(_ tensor: Tensor) -> Tensor {
      .apply(.rotary(base: rotaryBase, pairs: rotaryPairs), [tensor, positions])
    }
    return (rotated(parts[0]), rotated(parts[1]), parts[2])
  }
}
