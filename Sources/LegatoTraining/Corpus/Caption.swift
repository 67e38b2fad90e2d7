extension Score {
  /// One or two sentences that say what is heard, in one of several wordings.
  func caption(for plan: Plan) -> String {
    var random = SeededGenerator(seed: plan.seed, path: 7)
    let speeds = [
      (68, ["slow", "unhurried"]), (92, ["calm", "relaxed", "moderately slow"]),
      (116, ["moderate", "easy-going", "flowing"]), (.infinity, ["fast", "brisk", "quick"]),
    ]
    let pulse = tempo * (plan.meter == .sixEight ? 1.2 : 1)
    let speed = random.pick(speeds.first { pulse < $0.0 }?.1 ?? ["fast"])
    let isDark = [.minor, .dorian].contains(plan.tonality.mode)
    let moods = [
      "wistful melancholy pensive tender", "gentle warm peaceful sweet", "sombre dramatic serious passionate",
      "bright cheerful confident sunny",
    ]
    let mood = random.pick(
      moods[(plan.baseVelocity < 74 ? 0 : 2) + (isDark ? 0 : 1)].split(separator: " "))
    let (name, manner, key) = (instrument.name, plan.style.manner, "\(tonic) \(mode)")
    let bpm = "\(Int(tempo.rounded())) beats per minute"
    func a(_ word: some StringProtocol) -> String {
      "aeiou".contains(word.prefix(1)) ? "an \(word)" : "a \(word)"
    }
    let sentences =
      switch random.int(0...3) {
      case 0: ["\(a(mood)), \(speed) \(style) for solo \(name) in \(key), \(meter), at \(bpm)", manner]
      case 1: ["\(name) alone: \(manner), in \(key)", "\(speed) and \(mood), \(bpm) in \(meter)"]
      case 2: ["\(a(speed)), \(mood) \(style) played on \(name), with \(manner); \(key), \(bpm)"]
      default: ["solo \(name), \(style), \(mood) and \(speed), \(key), \(meter), \(bpm)"]
      }
    return sentences.map { $0.prefix(1).uppercased() + $0.dropFirst() + "." }.joined(separator: " ")
  }
}
