import Foundation

/// What a piece will be, before it is composed.
struct PiecePlan: Sendable, Equatable {
  let index: Int
  let seed: UInt64
  let split: CorpusSplit
  let instrument: Instrument
  let seconds: Double

  var id: String { String(format: "piece-%06d", index) }
  var path: String { "audio/\(id).wav" }

  /// The pieces of a corpus. More hours only add pieces at the end.
  static func pieces(_ options: CorpusOptions) throws -> [PiecePlan] {
    let instruments = try Instrument.select(options.instruments)
    let heldOut = heldOut(instruments, seed: options.seed)
    let shortest = options.secondsRange.lowerBound
    // Room for the sound to die away within the limit.
    let longest = max(shortest, options.secondsRange.upperBound - 2.5)
    var pieces: [PiecePlan] = []
    var turn: [Instrument] = []
    var total = 0.0
    while total < options.hours * 3600 {
      let index = pieces.count
      if turn.isEmpty {
        // Every instrument has its turn before any comes again.
        var random = SeededGenerator(seed: options.seed, path: 8, index / instruments.count)
        turn = random.shuffled(instruments)
      }
      let instrument = turn.removeLast()
      var random = SeededGenerator(seed: options.seed, path: 9, index)
      let seed = random.next() >> 11
      // More short pieces than long ones.
      let x = random.unit()
      let seconds = min(longest, shortest + (longest - shortest) * x * (0.4 + 0.6 * x) + 1)
      let usual: CorpusSplit = index % 20 == 4 ? .validation : index % 20 == 14 ? .test : .train
      let split = heldOut.contains(instrument) ? .heldOutInstruments : usual
      pieces.append(
        PiecePlan(index: index, seed: seed, split: split, instrument: instrument, seconds: seconds))
      total += seconds
    }
    return pieces
  }

  /// One instrument in sixteen, from as many families, where there are enough to spare.
  private static func heldOut(_ instruments: [Instrument], seed: UInt64) -> Set<Instrument> {
    guard instruments.count >= 8 else { return [] }
    var random = SeededGenerator(seed: seed, path: 10)
    var result: [String: Instrument] = [:]
    for instrument in random.shuffled(instruments) where result.count < max(1, instruments.count / 16) {
      // A family of one would vanish from training.
      let isAlone = instruments.count { $0.family == instrument.family } == 1
      if !isAlone, result[instrument.family] == nil { result[instrument.family] = instrument }
    }
    return Set(result.values)
  }
}
