import LegatoModels
import LegatoNN
import LegatoTensor

extension NoteWindows {
  /// Seconds of a piece that are heard.
  private static let windowsOfPiece = 12

  /// How often a classifier is right about pieces: each group sounds at once. Seconds in which one of its pieces is
  /// silent do not count.
  func accuracy(of classifier: NoteClassifier, hearing groups: [[Piece]], engine: CPUEngine) throws
    -> NoteAccuracy
  {
    var accuracy = NoteAccuracy()
    var (instruments, families) = (Share(), Share())
    var (instrumentsOfPiece, familiesOfPiece) = (Share(), Share())
    var (named, sounding, both) = (0, 0, 0)
    for group in groups {
      let frames = (group.map(\.frames).min() ?? 0) - LogFrequencySpectrum.samples
      let starts = (0..<Self.windowsOfPiece).map { frames * (2 * $0 + 1) / (2 * Self.windowsOfPiece) }
        .filter { start in group.allSatisfy { !keys(of: $0, from: start).isEmpty } }
      guard !starts.isEmpty else { continue }
      let samples = try starts.flatMap { start in
        try group.dropFirst().reduce(self.samples(of: group[0], from: start)) { sum, piece in
          zip(sum, try self.samples(of: piece, from: start)).map { $0 + $1 }
        }
      }
      let heard = classifier(engine.tensor(samples, shape: [starts.count, LogFrequencySpectrum.samples]))
      let (logits, keyLogits) = (heard.instruments.floats(), heard.keys.floats())
      let (there, theirFamilies) = (group.compactMap(\.instrument), Set(group.map(\.family)))
      var mean = [Float](repeating: 0, count: self.instruments.count)
      func judge(_ logits: [Float], _ instruments: inout Share, _ families: inout Share) {
        if there.count == group.count { instruments.add(Set(there), likeliest: logits) }
        families.add(theirFamilies, likeliest: familyShares(logits))
      }
      for (window, start) in starts.enumerated() {
        let own = Array(logits[window * mean.count..<(window + 1) * mean.count])
        for index in mean.indices { mean[index] += own[index] / Float(starts.count) }
        judge(own, &instruments, &families)
        let keys = group.reduce(into: Set<Int>()) { $0.formUnion(self.keys(of: $1, from: start)) }
        for key in 0..<NoteClassifier.keys.count {
          let isNamed = keyLogits[window * NoteClassifier.keys.count + key] > 0
          named += isNamed ? 1 : 0
          sounding += keys.contains(key) ? 1 : 0
          both += isNamed && keys.contains(key) ? 1 : 0
        }
      }
      judge(mean, &instrumentsOfPiece, &familiesOfPiece)
      accuracy.pieces += group.count
      accuracy.windows += starts.count
    }
    (accuracy.instrument, accuracy.instrumentOfPiece) = (instruments.value, instrumentsOfPiece.value)
    (accuracy.family, accuracy.familyOfPiece) = (families.value ?? 0, familiesOfPiece.value ?? 0)
    (accuracy.keyPrecision, accuracy.keyRecall) = (
      Double(both) / Double(max(1, named)), Double(both) / Double(max(1, sounding))
    )
    return accuracy
  }

  /// The softmax of the instruments' logits, summed over each family.
  private func familyShares(_ logits: [Float]) -> [String: Float] {
    let most = logits.max() ?? 0
    var shares: [String: Float] = [:]
    for (instrument, logit) in zip(instruments, logits) {
      shares[instrument.family, default: 0] += Float(Double.exponential(Double(logit - most)))
    }
    return shares
  }
}

/// Of what is there, how much is among as many likeliest guesses.
private struct Share {
  private var (found, all) = (0, 0)
  var value: Double? { all == 0 ? nil : Double(found) / Double(all) }

  mutating func add(_ there: Set<String>, likeliest shares: [String: Float]) {
    // Names settle ties, so that a run repeats itself.
    let guesses = shares.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(there.count).map(\.key)
    found += there.intersection(guesses).count
    all += there.count
  }

  mutating func add(_ there: Set<Int>, likeliest logits: [Float]) {
    let guesses = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }.prefix(there.count)
    found += there.intersection(guesses).count
    all += there.count
  }
}
