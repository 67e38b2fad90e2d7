import LegatoModels
import LegatoTensor

/// Which of a model's matrices may be coarse while the velocity changes by no more than a bar.
///
/// Each is rounded alone, and what that adds to the mean square, over the bytes that it saves, makes an order; the most of them in that
/// order whose change, measured together, is within the bar become coarse. Errors add up to more than their sum, so that sums would not
/// do.
struct CoarseMatrices {
  let model: ContinuousModel
  /// Weights that replace the model's, by name.
  let fine: [String: Weight]
  /// Weights that may replace those, by name.
  let coarse: [String: Weight]
  let change: VelocityChange

  /// Names of those that become coarse; none where the fine ones exceed the bar by themselves.
  ///
  /// - Parameter bar: RMS of the velocity's change over RMS of the velocity. Throws ``ConversionError/cancelled``.
  func chosen(within bar: Double) throws -> ArraySlice<String> {
    let base = try changed([])
    let costs = try coarse.map { name, weight in
      let alone = try changed([name])
      let saved = max(1, (fine[name]?.byteCount ?? 0) - weight.byteCount)
      return (name: name, cost: (alone * alone - base * base) / Double(saved))
    }
    let order = costs.sorted { ($0.cost, $0.name) < ($1.cost, $1.name) }.map(\.name)
    var (within, beyond) = (0, order.count + 1)
    while beyond - within > 1 {
      let count = within + (beyond - within) / 2
      if try changed(order.prefix(count)) <= bar { within = count } else { beyond = count }
    }
    return order.prefix(within)
  }

  private func changed(_ names: ArraySlice<String>) throws -> Double {
    let weights = model.weights.map { weight in
      (names.contains(weight.name) ? coarse[weight.name] : fine[weight.name]) ?? weight
    }
    return try change(
      ContinuousModel(model.configuration, weights: NamedWeights(weights, origin: "a conversion"))
    ).value
  }
}
