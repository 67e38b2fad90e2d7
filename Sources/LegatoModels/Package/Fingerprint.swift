import LegatoTensor

/// FNV-1a over words: tells weights apart, not a cryptographic hash.
struct Fingerprint {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func mix(_ word: UInt64) { value = (value ^ word) &* 0x100_0000_01b3 }

  mutating func mix(_ text: String) { text.utf8.forEach { mix(UInt64($0)) } }

  /// Name, shape and stored bytes, scales included, or about `words` words of each, evenly spread.
  mutating func mix(_ weight: Weight, words: Int = .max) {
    mix(weight.name)
    weight.shape.forEach { mix(UInt64($0)) }
    weight.forEachStoredWord(atMost: words) { mix($0) }
  }
}

extension ContinuousModel {
  /// Tells a model from others of its size. A few words of each weight do: training changes all of them.
  package var fingerprint: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.mix(configuration.identity)
    for weight in weights { fingerprint.mix(weight, words: 64) }
    return fingerprint.value
  }
}

extension ContinuousModelConfiguration {
  /// The sizes in words that saved states of streams depend on: what models of before did not have is left out where it is not there.
  var identity: String {
    [", shortContext: nil, isCausal: true", ", codebooks: 8, codes: 256"].reduce("\(self)") {
      $0.split(separator: $1).joined()
    }
  }
}
